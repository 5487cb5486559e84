import { type Command, Option } from 'commander'
import { InvalidArgumentError } from '../errors'
import { Import, type ImportOptions, type ImportTally, importedNamespace } from '../stash/import'
import { KeyvTableSource } from '../stash/import-keyv-table'
import type { ImportSource } from '../stash/import-source'
import type { PgStash } from '../stash/pg-stash'
import { confirm, requireAnswer } from './confirmation'
import { failed, requireFlag, StoppedError } from './failure'
import { wholeNumber } from './flag-values'
import type { ImportFlags } from './import-flags'
import { importRecipes } from './import-help'
import { ImportProgress } from './import-progress'
import { RedisSource } from './import-redis'
import { reportOf, summaryOf } from './import-report'
import { applicationName, interruption, isolationOption, stashCommand, withStash } from './stash-command'
import { print } from './terminal'

/** A page may be large, and nobody waits for a single entry. */
const timeoutMs = 60_000

/** `pgstash import`: copies the entries of a Redis, or of a table of @keyv/postgres. */
export function importCommand(): Command {
  return stashCommand('import')
    .description('copy entries from Redis or from a table of @keyv/postgres, with what is left of their ttl')
    .option('--from <url>', 'redis://…, rediss://…, or postgres://… with --table')
    .option('--table <name>', 'the table of @keyv/postgres; schema.name where that is not public')
    .option('--match <glob>', "only keys that match, as in Redis: 'user:*' (default: all with the prefix)")
    .option('--namespace <name>', 'the namespace to write to')
    .option('--namespace-version <number>', 'the version of that namespace (default: none)', wholeNumber)
    .option('--tenant <name>', 'whose data it becomes (default: default)')
    .option('--strip-prefix <text>', 'take this off every key; keys without it are skipped')
    .addOption(new Option('--values <how>', 'what values become').choices(['text', 'json', 'bytes']).default('text'))
    .option('--if-absent', 'keep the entries that are there (default: overwrite them)')
    .addOption(isolationOption())
    .option('--batch <number>', 'keys read and written together', wholeNumber, 500)
    .option('--dry-run', 'read everything, write nothing')
    .option('--restart', 'begin anew, also where an earlier run stopped half-way')
    .option('--yes', 'do not ask before overwriting; needed where there is no terminal')
    .addHelpText('after', importRecipes)
    .action(run)
}

async function run(flags: ImportFlags): Promise<void> {
  requireFlag('--from', flags.from, 'Name the source: redis://host:6379/0, or postgres://… with --table.')
  requireFlag('--namespace', flags.namespace, 'Name the namespace to write to.')
  if (mayOverwrite(flags)) requireAnswer(flags.yes, '--yes, --if-absent to keep what is there, or --dry-run')
  const work = async (stash: PgStash) => {
    // Names that will not do are told before anything is opened.
    importedNamespace(stash, optionsOf(flags))
    const source = await open(flags)
    await copy(stash, source, flags).finally(() => source.close())
  }
  // The entries of an app that has not run yet: the schema is made, unless nothing is written.
  await withStash(flags, work, { timeoutMs, migrate: true })
}

async function open({ from, table, match, stripPrefix, batch }: ImportFlags): Promise<ImportSource> {
  if (/^rediss?:\/\//.test(from) && URL.canParse(from)) {
    return RedisSource.open({ url: from, match: match ?? globOf(stripPrefix), keysPerPage: batch })
  }
  if (!/^postgres(ql)?:\/\//.test(from) || !URL.canParse(from)) {
    throw new InvalidArgumentError('--from', 'is no address of a source', 'Write redis://host:6379/0 or postgres://….')
  }
  if (!table) throw new InvalidArgumentError('--table', 'is missing', 'Name the table of @keyv/postgres, mostly keyv.')
  const [name, owner = 'public'] = table.split('.').reverse() as [string, string?]
  const rows = { table: { schema: owner, table: name }, match, prefix: stripPrefix, rowsPerPage: batch }
  return new KeyvTableSource({ url: from, ...rows, timeoutMs, applicationName })
}

async function copy(stash: PgStash, source: ImportSource, flags: ImportFlags): Promise<void> {
  const options = optionsOf(flags)
  if (mayOverwrite(flags) && !flags.yes) await confirmOver(stash, options)
  const startedAt = performance.now()
  const { signal } = interruption()
  const progress = new ImportProgress(flags.json ? undefined : await source.size())
  const onProgress = flags.json ? undefined : (tally: ImportTally) => progress.show(tally)
  const job = new Import(stash, source, { ...options, onProgress, signal })
  try {
    const tally = await job.run().finally(() => progress.end())
    const report = reportOf(tally, source.name, stash.schema, flags, performance.now() - startedAt)
    print(flags.json, report, summaryOf(report))
    if (tally.isStopped) tellStop(job, flags)
  } catch (error) {
    if (job.canResume) process.stderr.write(`Stopped. ${resumption(flags)}\n`)
    throw error
  }
}

/** Not thrown: with --json the report is the one document. */
function tellStop(job: Import, flags: ImportFlags): void {
  const { code, message } = new StoppedError(`before the end.${job.canResume ? ` ${resumption(flags)}` : ''}`)
  process.stderr.write(`${code}: ${message}\n`)
  process.exitCode = failed
}

function resumption({ restart }: ImportFlags): string {
  return `Run the same command again${restart ? ', without --restart' : ''}: it goes on from here.`
}

function mayOverwrite({ dryRun, ifAbsent }: ImportFlags): boolean {
  return !dryRun && !ifAbsent
}

async function confirmOver(stash: PgStash, options: ImportOptions): Promise<void> {
  const { done: isEmpty } = await importedNamespace(stash, options).keys().next()
  if (isEmpty) return
  await confirm(`The namespace ${options.namespace} holds entries; same keys are overwritten. Go on?`)
}

function optionsOf({ namespaceVersion, ...flags }: ImportFlags): ImportOptions {
  const { namespace, tenant, stripPrefix, values, ifAbsent, dryRun, restart } = flags
  return { namespace, tenant, version: namespaceVersion, stripPrefix, values, ifAbsent, dryRun, restart }
}

/** The keys that start with a text. */
function globOf(prefix: string | undefined): string | undefined {
  return prefix ? `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*` : undefined
}
