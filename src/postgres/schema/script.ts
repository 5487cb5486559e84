import createMigrationTable from '../../../sql/statements/schema/bookkeeping/create-table.sql'
import limitLockWaits from '../../../sql/statements/schema/bookkeeping/limit-lock-waits.sql'
import lockMigrations from '../../../sql/statements/schema/bookkeeping/lock.sql'
import recordMigration from '../../../sql/statements/schema/bookkeeping/record.sql'
import createWhereMissing from '../../../sql/statements/schema/create-where-missing.sql'
import makeCountersLogged from '../../../sql/statements/schema/make-counters-logged.sql'
import makeEntriesUnlogged from '../../../sql/statements/schema/make-entries-unlogged.sql'
import pinSearchPath from '../../../sql/statements/schema/pin-search-path.sql'
import reserveBlocks from '../../../sql/statements/schema/reserve-blocks.sql'
import enforceRowLevelSecurity from '../../../sql/statements/schema/rights/enforce-row-level-security.sql'
import grantAppRole from '../../../sql/statements/schema/rights/grant-app-role.sql'
import settleRoles from '../../../sql/statements/schema/rights/settle-roles.sql'
import { inSchema, quoteLiteral } from '../wire/statement'
import { firstWithCounters, latestMigration } from './latest'
import { migrations } from './migrations'
import type { MigratorOptions } from './migrator'

/** What goes into a script beside the migrations. */
export interface ScriptOptions extends MigratorOptions {
  /** The application's role, which is given what it needs. */
  readonly appRole: string | undefined
}

/**
 * What `migrate()` would do, as one script, for people whose database is changed by somebody else.
 * @param from the migration the database is at; 0 for an empty one
 */
export function migrationScript(
  { schema, isUnlogged, hasLoggedCounters, isolation, appRole }: ScriptOptions,
  from: number,
): string {
  const terminated = (text: string) => `${inSchema(text, schema)};`
  const steps = migrations
    .filter(({ id }) => id > from)
    .flatMap(({ id, name, text }) => [
      inSchema(text, schema),
      terminated(recordMigration.text.replace('$1', String(id)).replace('$2', `'${name}'`)),
    ])
  const isEmpty = from === 0
  const parts = [
    `-- pgstash: ${isEmpty ? 'the whole schema, for an empty database' : `from migration ${from} to ${latestMigration}`}`,
    'begin;',
    terminated(pinSearchPath.text),
    `${lockMigrations.text.replace('$1', () => quoteLiteral(schema))};`,
    terminated(limitLockWaits.text),
    ...(isEmpty ? [terminated(createWhereMissing.text), terminated(createMigrationTable.text)] : []),
    ...steps,
    ...(isEmpty && isUnlogged ? [terminated(makeEntriesUnlogged.text)] : []),
    ...(from < firstWithCounters && hasLoggedCounters ? [terminated(makeCountersLogged.text)] : []),
    ...(steps.length > 0 ? [terminated(reserveBlocks.text)] : []),
    ...(isolation === 'rls' ? [terminated(enforceRowLevelSecurity.text)] : []),
    terminated(settleRoles.text),
    ...(appRole === undefined ? [] : [grantOf(appRole, schema)]),
    'commit;',
  ]
  return `${parts.join('\n\n')}\n`
}

/** A role may be called `"pgstash"`, and a schema `a$1`: neither is looked for in the other. */
function grantOf(appRole: string, schema: string): string {
  const parts = grantAppRole.text.split('$1').map((part) => inSchema(part, schema))
  return `${parts.join(quoteLiteral(appRole))};`
}
