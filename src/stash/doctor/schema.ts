import { cureOfRights, type ExcessRight } from '../../errors'
import { flagsOf, migrateStep } from '../../migrate-step'
import type { RoleFacts, ServerFacts, SweepFacts, TableFacts } from '../../postgres/doctor/health'
import type { Standing } from '../../postgres/schema/isolation-check'
import { latestMigration, migrations } from '../../postgres/schema/migrations'
import type { Isolation, SchemaState } from '../../postgres/schema/migrator'
import type { RoleRights } from '../../postgres/schema/role-rights'
import { type Finding, fail, minutesAgo, noTables, ok, unknown, warn } from './finding'
import { number } from './quantity'

/** Where a schema stands against what this version of the package needs. */
export interface SchemaStatus {
  readonly schema: string
  readonly isCurrent: boolean
  readonly exists: boolean
  /** The highest migration applied; 0 for none. */
  readonly migration: number
  readonly needed: number
  /** The names of the migrations that are missing. */
  readonly missing: readonly string[]
  /** Whether row-level security is forced. */
  readonly isForced: boolean
  /** Where it is forced, or asked for: in what it is not as it is meant for today's owner of the tables. */
  readonly faults: readonly string[]
}

export function schemaStatus(schema: string, { hasSchema, migration, isForced, faults }: SchemaState): SchemaStatus {
  const missing = migrations.filter(({ id }) => id > migration).map(({ name }) => name)
  const isCurrent = missing.length === 0
  return { schema, isCurrent, exists: hasSchema, migration, needed: latestMigration, missing, isForced, faults }
}

export function schemaFinding(
  { schema, isCurrent, migration, needed, missing }: SchemaStatus,
  isolation: Isolation,
  tables: readonly TableFacts[],
): Finding {
  const lost = Object.keys(reserved).filter((name) => !tables.some((table) => table.name === name))
  if (isCurrent && lost.length > 0)
    return fail(
      `${schema} says it is at migration ${migration}, and has no ${lost.join(', ')}`,
      'Restore it whole from a backup, or drop the schema and migrate: its migrations do not run again.',
    )
  if (isCurrent) return ok(`${schema} is current, at migration ${migration}`)
  const nextStep = `Run ${migrateStep(schema, flagsOf(isolation))}.`
  if (migration === 0) return fail(`${schema} is not there`, nextStep)
  return fail(`${schema} is at migration ${migration} of ${needed}: ${missing.join(', ')} missing`, nextStep)
}

/** @param compare asks how its rights differ from what it needs */
export async function role(
  facts: RoleFacts,
  schema: string,
  wanted: Isolation,
  compare: () => Promise<RoleRights>,
): Promise<Finding> {
  const { role, isSuperuser, isOwner, mayUseSchema, mayCompare, hasRights, isMonitor } = facts
  if (isSuperuser)
    return warn(
      `${role} is a superuser, which an application does not need`,
      `create role app login password '…', then ${migrateStep(schema, '--app-role app')}.`,
    )
  if (mayCompare === null) return noTables
  if (isMonitor && (!mayUseSchema || !hasRights))
    return unknown(
      `${role} only monitors: it is a member of pg_monitor, and has no rights on the tables`,
      "Fine for monitoring. For a check of the application's rights, run this as the application's role, too.",
    )
  const grant = `As the owner: ${migrateStep(schema, `--app-role ${role}`)}.`
  if (!mayUseSchema) return fail(`${role} may not use the schema`, grant)
  if (!mayCompare) return fail(`${role} lacks execute on the functions of the schema`, grant)
  const { missing, excess } = await compare()
  if (missing.length > 0) return fail(`${role} lacks ${missing.join(', ')}`, grant)
  if (isOwner || excess.length === 0) return ok(`${role} has the rights it needs`)
  return tooMuch(excess, facts, schema, wanted)
}

/** Apart by a column, the role is trusted with the rows of all tenants anyway. */
function tooMuch(excess: readonly ExcessRight[], { role }: RoleFacts, schema: string, wanted: Isolation): Finding {
  const detail = `${role} has more than it needs: ${excess.map(({ told }) => told).join('; ')}`
  const cure = cureOfRights(excess, schema, role)
  return wanted === 'rls' ? fail(`${detail}. Row-level security does not stop that`, cure) : warn(detail, cure)
}

/** Whether the policies hold for a role. */
export function isHeld({ isSuperuser, hasBypass, isOwner, isForced }: Standing): boolean {
  return isForced && !isSuperuser && !hasBypass && !isOwner
}

export interface PolicyFacts {
  /** In what the policies are not as they are meant. */
  readonly faults: () => Promise<readonly string[]>
  /** Whether a statement that names no tenant sees any rows. */
  readonly seesRows: () => Promise<boolean>
}

export async function isolation(
  facts: RoleFacts,
  schema: string,
  wanted: Isolation,
  { faults, seesRows }: PolicyFacts,
): Promise<Finding> {
  const { role, isForced } = facts
  const force = `As the owner or a superuser: ${migrateStep(schema, flagsOf('rls'))}.`
  if (wanted === 'rls' && !isForced) return fail('row-level security is not forced', force)
  if (!isForced && facts.isForcedSomewhere)
    return fail('row-level security is forced on some of the tables only', force)
  if (!isForced && facts.seesAll)
    return ok('by a column: every statement names its tenant; row-level security is not in use')
  const found = facts.mayCompare ? await faults() : []
  if (found.length > 0) return fail(`row-level security is not as it is meant: ${found.join('; ')}`, force)
  if (!isHeld(facts)) return unheld(facts, schema, wanted)
  if (await seesRows())
    return fail(
      `row-level security is forced, and ${role} sees rows without naming a tenant`,
      'Look at the policies: \\d+ in psql.',
    )
  if (wanted === 'column')
    return fail(`row-level security holds for ${role}`, "Pass isolation: 'rls' to the stash (here: --isolation rls).")
  return ok(`row-level security is forced, and holds for ${role}`)
}

function unheld({ role, isSuperuser, hasBypass }: RoleFacts, schema: string, wanted: Isolation): Finding {
  const why = isSuperuser ? 'is a superuser' : hasBypass ? 'has BYPASSRLS' : 'owns the tables'
  if (wanted === 'column') return ok(`row-level security is forced; ${role} ${why} and sees all tenants`)
  return fail(
    `row-level security does not hold for ${role}: it ${why}`,
    `create role app login password '…', then ${migrateStep(schema, '--isolation rls --app-role app')}; connect as app.`,
  )
}

/** pg_dump reads with row_security = off, and fails where rows would be left out. */
export function backup(facts: RoleFacts, schema: string): Finding {
  const { role, isForcedSomewhere, isOwner, isSuperuser, hasBypass } = facts
  if (!isForcedSomewhere) return ok('row-level security is not forced: pg_dump needs no more than the right to read')
  if (isSuperuser || hasBypass) return ok(`pg_dump works as ${role}, to which no policy applies`)
  if (!isOwner) return ok(`not by ${role}: a dump of the whole database needs a superuser or a BYPASSRLS role`)
  return warn(
    `pg_dump of the whole database fails as ${role}, the owner: row-level security is forced`,
    backupStep(schema),
  )
}

/** How a database is dumped whose tables are under row-level security. */
export function backupStep(schema: string): string {
  return `pg_dump of the whole database fails as an owner who is no superuser. Dump as a superuser or a role with BYPASSRLS, or as the owner with --enable-row-security, or without these tables: --exclude-schema '"${schema}"'.`
}

/** Blocks that reserve_blocks() makes sure of. */
const reserved: Readonly<Record<string, number>> = { entry: 128, session: 128, counter: 128, namespace: 32 }

export function files(tables: readonly TableFacts[], schema: string, { isReplica }: ServerFacts): Finding {
  if (tables.length === 0) return noTables
  // Of unlogged tables a replica has nothing.
  const kept = tables.filter(({ isUnlogged }) => !(isReplica && isUnlogged))
  const small = kept.filter(({ name, blocks }) => blocks < (reserved[name] ?? 0)).map(({ name }) => name)
  if (small.length === 0) return ok('large enough for look-ups by index at any number of rows')
  return warn(
    `the files of ${small.join(', ')} are too small: the planner may take to scanning them`,
    `As the owner: select "${schema}".reserve_blocks(), or start a stash that may migrate.`,
  )
}

const oneHourMs = 3_600_000

/** 32 MiB of all tables together: read in a moment. */
const smallBlocks = 4_096

/**
 * A lease alone proves nothing: somebody may take it again and again, and fail in each turn.
 * @param hasRemains asks whether a sweep would remove anything; of small tables only. undefined: the role may not see that
 */
export async function sweep(
  facts: SweepFacts,
  tables: readonly TableFacts[],
  hasRemains: (() => Promise<boolean>) | undefined,
  { tracksCounts, isReplica }: ServerFacts,
): Promise<Finding> {
  const { finishedAt, now } = facts
  if (finishedAt > 0 && Math.abs(now - finishedAt) <= oneHourMs) return ok(toldOf(facts))
  const isSmall = tables.reduce((sum, { blocks }) => sum + blocks, 0) <= smallBlocks
  const isCounted = tracksCounts && !isReplica
  if (hasRemains === undefined && isCounted && tables.every(({ liveRows }) => liveRows === 0))
    return ok(`${toldOf(facts)}; the tables are empty`)
  if (hasRemains !== undefined && isSmall && !(await hasRemains()))
    return ok(`${toldOf(facts)}; there is nothing to sweep`)
  return warn(
    `${toldOf(facts)}${facts.isSweeping ? '; somebody is at it now' : ''}`,
    "Look for sweeper: false, and for isolation: 'rls' without maintenance: one process at least has to sweep. Where one does, the channel pgstash:sweep says why its turns fail. pgstash cleanup sweeps at once.",
  )
}

function toldOf({ finishedAt, turnedAt, removed, now }: SweepFacts): string {
  if (finishedAt === 0) return 'there was none yet'
  const last = `the last one ended ${minutesAgo(finishedAt, now)} and removed ${number(removed)} rows`
  if (turnedAt === finishedAt) return last
  return `${last}; by the sweeper of a stash: ${turnedAt === 0 ? 'none yet' : minutesAgo(turnedAt, now)}`
}
