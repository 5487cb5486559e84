import { type Command, Option } from 'commander'
import { Import, type ImportOptions, type ImportTally, importedNamespace, importTarget } from '../../stash/import/job'
import type { ImportSource } from '../../stash/import/source'
import type { PgStash } from '../../stash/pg-stash'
import { confirm, requireAnswer } from '../console/confirmation'
import { failed, requireFlag, StoppedError } from '../console/failure'
import { wholeNumber } from '../console/flag-values'
import { interruption, isolationOption, stashCommand, withStash } from '../console/stash-command'
import { print } from '../console/terminal'
import { assertFlags, type ImportFlags } from './flags'
import { importRecipes } from './help'
import { openSource } from './open'
import { ImportProgress } from './progress'
import { sourceChanged } from './redis/failure'
import { reportOf, summaryOf } from './report'

/** A page may be large, and nobody waits for a single entry. */
const timeoutMs = 60_000

/** `pgstash import`: copies the entries or sessions of a Redis, or the entries of a table of @keyv/postgres. */
export function importCommand(): Command {
  return stashCommand('import')
    .description(
      'copy entries or sessions from Redis, or entries from a table of @keyv/postgres, with what is left of their ttl',
    )
    .option('--from <url>', 'redis://…, rediss:// for TLS, redis+unix:///…, or postgres://… with --table')
    .option('--table <name>', 'the table of @keyv/postgres; schema.name where that is not public')
    .addOption(
      new Option('--as <what>', 'what the values are (default: entries); sessions: those of connect-redis').choices([
        'entries',
        'sessions',
      ]),
    )
    .option('--match <glob>', "only keys that match, as in Redis: 'user:*' (default: all with the prefix)")
    .option('--namespace <name>', 'the namespace to write to (for sessions the default is session)')
    .option('--namespace-version <number>', 'the version of that namespace (default: none)', wholeNumber)
    .option('--tenant <name>', 'whose data it becomes (default: default)')
    .option('--strip-prefix <text>', 'take this off every key; keys without it are skipped (for sessions sess:)')
    .addOption(new Option('--values <how>', 'what values become (default: text)').choices(['text', 'json', 'bytes']))
    .option('--user-field <path>', 'where a session names its user: userId, or from field to field passport.user')
    .option('--if-absent', 'keep the entries or sessions that are there (default: overwrite them)')
    .addOption(isolationOption())
    .option('--redis-ca <file>', 'rediss: who signed the certificate of the server, in PEM')
    .option('--redis-cert <file>', 'rediss: the certificate to show, in PEM')
    .option('--redis-key <file>', 'rediss: its key, in PEM')
    .option('--redis-servername <name>', 'rediss: the name in the certificate, where it is not that of --from')
    .option('--batch <number>', 'keys read and written together', wholeNumber, 500)
    .option('--dry-run', 'read everything, write nothing')
    .option('--restart', 'begin anew, also where an earlier run stopped half-way')
    .option('--yes', 'do not ask before overwriting; needed where there is no terminal')
    .addHelpText('after', importRecipes)
    .action(run)
}

async function run(flags: ImportFlags): Promise<void> {
  requireFlag('--from', flags.from, 'Name the source: redis://host:6379/0, or postgres://… with --table.')
  if (flags.as !== 'sessions') requireFlag('--namespace', flags.namespace, 'Name the namespace to write to.')
  if (mayOverwrite(flags)) requireAnswer(flags.yes, '--yes, --if-absent to keep what is there, or --dry-run')
  assertFlags(flags)
  const work = async (stash: PgStash) => {
    // Names that will not do are told before anything is opened.
    importTarget(stash, optionsOf(flags))
    const source = await openSource(flags, timeoutMs)
    await copy(stash, source, flags).finally(() => source.close())
  }
  // The entries of an app that has not run yet: the schema is made, unless nothing is written.
  await withStash(flags, work, { timeoutMs, migrate: true })
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
    const report = reportOf(tally, source, stash.schema, flags, performance.now() - startedAt)
    print(flags.json, report, summaryOf(report))
    if (tally.isStopped) tellStop(job, flags)
  } catch (error) {
    if (job.canResume && (error as { code?: unknown }).code !== sourceChanged)
      process.stderr.write(`Stopped. ${resumption(flags)}\n`)
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
  if (await importTarget(stash, options).isEmpty()) return
  const what = options.as === 'sessions' ? 'sessions; those with the same id' : 'entries; same keys'
  await confirm(`The namespace ${importedNamespace(options)} holds ${what} are overwritten. Go on?`)
}

function optionsOf({ namespaceVersion, values = 'text', ...flags }: ImportFlags): ImportOptions {
  const { as, namespace, tenant, stripPrefix, userField, ifAbsent, dryRun, restart } = flags
  return { as, namespace, tenant, version: namespaceVersion, stripPrefix, values, userField, ifAbsent, dryRun, restart }
}
