import { createInterface } from 'node:readline/promises'
import { Command, InvalidArgumentError as InvalidOptionError, Option } from 'commander'
import { InvalidArgumentError } from '../errors'
import { type ImportOptions, type ImportTally, importEntries, importedNamespace } from '../stash/import'
import { KeyvTableSource } from '../stash/import-keyv-table'
import type { ImportSource } from '../stash/import-source'
import { PgStash } from '../stash/pg-stash'
import type { ImportFlags } from './import-flags'
import { importRecipes } from './import-help'
import { ImportProgress } from './import-progress'
import { RedisSource } from './import-redis'
import { reportOf, summaryOf } from './import-report'

/** A page may be large, and nobody waits for a single entry. */
const timeoutMs = 60_000

const usage = 2

/** `pgstash import`: copies the entries of a Redis, or of a table of @keyv/postgres. */
export function importCommand(): Command {
  return new Command('import')
    .description('copy entries from Redis or from a table of @keyv/postgres, with what is left of their ttl')
    .requiredOption('--from <url>', 'redis://…, rediss://…, or postgres://… with --table')
    .option('--table <name>', 'the table of @keyv/postgres; schema.name where that is not public')
    .option('--match <glob>', "only keys that match, as in Redis: 'user:*' (default: all with the prefix)")
    .requiredOption('--namespace <name>', 'the namespace to write to')
    .option('--namespace-version <number>', 'the version of that namespace (default: none)', wholeNumber)
    .option('--tenant <name>', 'whose data it becomes (default: default)')
    .option('--strip-prefix <text>', 'take this off every key; keys without it are skipped')
    .addOption(new Option('--values <how>', 'what values become').choices(['text', 'json', 'bytes']).default('text'))
    .option('--if-absent', 'keep the entries that are there (default: overwrite them)')
    .option('--url <url>', 'the target: postgres://… (default: DATABASE_URL, then the PG* variables)')
    .option('--schema <name>', 'the schema (default: pgstash)')
    .addOption(new Option('--isolation <how>', 'of the target').choices(['column', 'rls']).default('column'))
    .option('--batch <number>', 'keys read and written together', wholeNumber, 500)
    .option('--dry-run', 'read everything, write nothing')
    .option('--restart', 'begin anew, also where an earlier run stopped half-way')
    .option('--json', 'print the result as one JSON object')
    .option('--yes', 'do not ask before overwriting (nobody is asked where there is no terminal)')
    .addHelpText('after', importRecipes)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : usage))
    .action(run)
}

async function run(flags: ImportFlags, command: Command): Promise<void> {
  try {
    await withBoth(flags, (stash, source) => copy(stash, source, flags))
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    command.error(`${error.code}: ${error.message}`)
  }
}

async function withBoth(
  { url, schema, isolation, ...flags }: ImportFlags,
  work: (stash: PgStash, source: ImportSource) => Promise<void>,
): Promise<void> {
  const stash = new PgStash({ connectionString: url, schema, isolation, timeoutMs })
  try {
    // Names that will not do are told before anything is opened.
    importedNamespace(stash, optionsOf(flags))
    const source = await open(flags)
    await work(stash, source).finally(() => source.close())
  } finally {
    await stash.close()
  }
}

async function open({ from, table, match, stripPrefix, batch }: Omit<ImportFlags, 'url'>): Promise<ImportSource> {
  if (/^rediss?:\/\//.test(from) && URL.canParse(from)) {
    return RedisSource.open({ url: from, match: match ?? globOf(stripPrefix), keysPerPage: batch })
  }
  if (!/^postgres(ql)?:\/\//.test(from) || !URL.canParse(from)) {
    throw new InvalidArgumentError('--from', 'is no address of a source', 'Write redis://host:6379/0 or postgres://….')
  }
  if (!table) throw new InvalidArgumentError('--table', 'is missing', 'Name the table of @keyv/postgres, mostly keyv.')
  const [name, owner = 'public'] = table.split('.').reverse() as [string, string?]
  const place = { schema: owner, table: name }
  return new KeyvTableSource({ url: from, table: place, match, prefix: stripPrefix, rowsPerPage: batch, timeoutMs })
}

async function copy(stash: PgStash, source: ImportSource, flags: ImportFlags): Promise<void> {
  const options = optionsOf(flags)
  if (!(await mayWrite(stash, flags, options))) throw new Error('Nothing was written.')
  const startedAt = performance.now()
  const progress = new ImportProgress(process.stderr, flags.json ? undefined : await source.size())
  const onProgress = flags.json ? undefined : (tally: ImportTally) => progress.show(tally)
  try {
    const tally = await importEntries(stash, source, { ...options, onProgress })
    progress.end()
    const report = reportOf(tally, source.name, stash.schema, flags, performance.now() - startedAt)
    process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : summaryOf(report))
  } catch (error) {
    progress.end()
    if (!flags.dryRun) process.stderr.write('Stopped. Run the same command again: it goes on from here.\n')
    throw error
  }
}

/** Asked on a terminal only, and only where something could be overwritten. */
async function mayWrite(stash: PgStash, flags: ImportFlags, options: ImportOptions): Promise<boolean> {
  if (flags.yes || flags.dryRun || flags.ifAbsent || !process.stdin.isTTY || !process.stderr.isTTY) return true
  const { done: isEmpty } = await importedNamespace(stash, options).keys().next()
  if (isEmpty) return true
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await asking.question(
    `The namespace ${options.namespace} holds entries; same keys are overwritten. Go on? [y/N] `,
  )
  asking.close()
  return /^y(es)?$/i.test(answer.trim())
}

function optionsOf({ namespaceVersion, ...flags }: Omit<ImportFlags, 'url'>): ImportOptions {
  const { namespace, tenant, stripPrefix, values, ifAbsent, dryRun, restart } = flags
  return { namespace, tenant, version: namespaceVersion, stripPrefix, values, ifAbsent, dryRun, restart }
}

/** The keys that start with a text. */
function globOf(prefix: string | undefined): string | undefined {
  return prefix ? `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*` : undefined
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 1) return number
  throw new InvalidOptionError('It must be a whole number of at least 1.')
}
