import type { Command } from 'commander'
import { InvalidArgumentError } from '../errors'
import { backupStep, type SchemaStatus, schemaStatus } from '../stash/doctor/schema'
import type { PgStash } from '../stash/pg-stash'
import { printSchema } from '../stash/schema-script'
import { failed, UsageError } from './console/failure'
import { migrationNumber } from './console/flag-values'
import { isolationOption, type StashFlags, stashCommand, withStash } from './console/stash-command'
import { print } from './console/terminal'

interface MigrateFlags extends StashFlags {
  readonly unlogged?: boolean
  readonly loggedCounters?: boolean
  readonly appRole?: string
  readonly print?: boolean
  readonly check?: boolean
  readonly from?: number
}

/** The migrations that make these tables. */
const [entryTable, counterTable] = ['0001_tables', '0007_sessions_and_counters']

/** `pgstash migrate`: creates or upgrades the schema, says whether it has to be, or prints the SQL for whoever does that. */
export function migrateCommand(): Command {
  return stashCommand('migrate')
    .description('create or upgrade the schema')
    .option('--check', 'change nothing; exit 1, and say what is missing, where the schema is not current')
    .option('--print', 'print the SQL instead of running it')
    .option(
      '--from <number>',
      'with --print: the migration the database is at (default: 0, an empty one)',
      migrationNumber,
    )
    .addOption(isolationOption('rls: row-level security, forced'))
    .option('--app-role <role>', 'grant this role what the application needs')
    .option('--unlogged', 'make a new entry table unlogged: cheaper writes, empty after a crash')
    .option('--logged-counters', 'make a new table of rate limits logged: it survives a crash, and hits cost more')
    .action(migrate)
}

async function migrate(flags: MigrateFlags): Promise<void> {
  assertFit(flags)
  if (flags.print) printScript(flags)
  else if (flags.check) await check(flags)
  else await apply(flags)
}

function assertFit({ print, check, from, appRole }: MigrateFlags): void {
  if (print && check) throw new UsageError('--print and --check exclude each other. Leave one of them out.')
  if (from !== undefined && !print) throw new UsageError('--from goes with --print. Add that, or leave --from out.')
  const { needed } = schemaAt(from)
  if (from !== undefined && from > needed)
    throw new UsageError(
      `--from is beyond ${needed}, the newest migration this version of pgstash knows. Name a lower one, or upgrade pgstash.`,
    )
  if (appRole === '') throw new InvalidArgumentError('--app-role', 'is empty', 'Name the role.')
}

function schemaAt(migration = 0): SchemaStatus {
  return schemaStatus('pgstash', { hasSchema: migration > 0, migration, isForced: false, faults: [] })
}

function printScript(flags: MigrateFlags): void {
  const { schema, unlogged, loggedCounters, isolation, appRole, from = 0, json } = flags
  const sql = printSchema({ schema, unlogged, loggedCounters, isolation, appRole, from })
  print(json, { sql }, sql)
  for (const line of idleFlags(flags, schemaAt(from).missing).map(idleLine)) process.stderr.write(`${line}\n`)
}

/** Which flags of new tables had none to work on. */
function idleFlags({ unlogged, loggedCounters }: MigrateFlags, applied: readonly string[]): string[] {
  return [
    ...(unlogged && !applied.includes(entryTable) ? ['--unlogged'] : []),
    ...(loggedCounters && !applied.includes(counterTable) ? ['--logged-counters'] : []),
  ]
}

function idleLine(flag: string): string {
  return `${flag} had no effect: the table is there. docs/guide/durability.md says how to change it ("Unlogged tables").`
}

async function check(flags: MigrateFlags): Promise<void> {
  const status = await withStash({ ...flags, isolation: 'column' }, (stash) => stash.checkSchema())
  const isForced = flags.isolation !== 'rls' || status.isForced
  if (!status.isCurrent || !isForced || status.faults.length > 0) process.exitCode = failed
  print(
    flags.json,
    status,
    `${toldOf(status)}${isForced ? '' : ' Row-level security is not forced.'}${faultsOf(status)}`,
  )
}

function faultsOf({ faults }: SchemaStatus): string {
  return faults.length === 0 ? '' : ` Row-level security is not as it is meant: ${faults.join('; ')}.`
}

function toldOf({ schema, isCurrent, exists, migration, needed, missing }: SchemaStatus): string {
  if (isCurrent) return 'The schema is current.'
  const found = exists ? `is at migration ${migration}, ${needed} is needed` : 'is not there'
  return `The schema ${schema} ${found}. Missing: ${missing.join(', ')}.`
}

/** @throws what the grant failed of, once it is told what was done before */
function ungranted(error: unknown, applied: readonly string[]): never {
  process.stderr.write(`${toldApplied(applied)} Nothing was granted.\n`)
  throw error
}

function toldApplied(applied: readonly string[]): string {
  return applied.length === 0 ? 'The schema is current.' : `Applied ${applied.join(', ')}.`
}

/** What a run came to. `isForced`: as a whole, not by this run. `beyond`: SQL against what the app's role has from elsewhere. */
interface Applied {
  readonly applied: readonly string[]
  readonly isForced: boolean
  readonly beyond: readonly string[]
}

async function apply(flags: MigrateFlags): Promise<void> {
  const { url, unlogged, loggedCounters, appRole, json } = flags
  // The role that runs this is the owner.
  const maintenance = url ?? {}
  const { applied, isForced, beyond } = await withStash(flags, (stash) => applyTo(stash, appRole), {
    unlogged,
    loggedCounters,
    maintenance,
  })
  // Under row-level security such a role is refused at its start.
  if (isForced && beyond.length > 0) process.exitCode = failed
  const withoutEffect = idleFlags(flags, applied)
  const lines = [
    toldApplied(applied),
    ...(isForced ? ['Row-level security is forced.'] : []),
    ...(appRole === undefined ? [] : [`Granted what it needs to ${appRole}.`, ...beyondLines(appRole, beyond)]),
    ...(isForced ? [backupLine(flags.schema ?? 'pgstash')] : []),
    ...withoutEffect.map(idleLine),
  ]
  print(json, { applied, isForced, grantedTo: appRole ?? null, beyond, withoutEffect }, lines.join('\n'))
}

async function applyTo(stash: PgStash, appRole: string | undefined): Promise<Applied> {
  const applied = await stash.migrate()
  const beyond =
    appRole === undefined ? [] : await stash.grantTo(appRole).catch((error: unknown) => ungranted(error, applied))
  const { isForced } = await stash.checkSchema()
  return { applied, isForced, beyond }
}

function beyondLines(appRole: string, beyond: readonly string[]): string[] {
  if (beyond.length === 0) return []
  return [
    `${appRole} has more than that from elsewhere. As a superuser, or whoever granted it:`,
    ...beyond.map((cure) => `  ${cure};`),
  ]
}

function backupLine(schema: string): string {
  return `Backups: ${backupStep(schema)}`
}
