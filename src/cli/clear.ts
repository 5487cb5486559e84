import type { Command } from 'commander'
import { InvalidArgumentError } from '../errors'
import type { PgStash } from '../stash/pg-stash'
import { confirm, requireAnswer } from './console/confirmation'
import { requireFlag, UsageError } from './console/failure'
import { wholeNumber } from './console/flag-values'
import { counted } from './console/quantity'
import { isolationOption, longMs, type StashFlags, stashCommand, withStash } from './console/stash-command'
import { print, printable } from './console/terminal'

interface ClearFlags extends StashFlags {
  readonly tenant: string
  readonly namespace?: string
  readonly namespaceVersion?: number
  readonly tag?: readonly string[]
  readonly sessions?: boolean
  readonly rateLimits?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/** What is to go. */
interface Target {
  readonly kind: 'entries' | 'sessions' | 'rate-limits'
  readonly place: string
  readonly count: () => Promise<number>
  /** Answers how many of it were alive; undefined: nobody has counted. */
  readonly clear: () => Promise<number | undefined>
}

const words: Readonly<Record<Target['kind'], readonly [one: string, many: string]>> = {
  entries: ['live entry', 'live entries'],
  sessions: ['live session', 'live sessions'],
  'rate-limits': ['live rate limit', 'live rate limits'],
}

/** `pgstash clear`: empties a tenant, or a namespace of it. */
export function clearCommand(): Command {
  return stashCommand('clear')
    .description('empty a tenant, or one namespace of it')
    .option('--tenant <name>', "whose data goes; an app without tenants has one, 'default'")
    .option('--namespace <name>', 'this namespace only; with --rate-limits: the limiter of that name')
    .option('--namespace-version <number>', 'the version of that namespace (default: none)', wholeNumber)
    .option(
      '--tag <name...>',
      'only what is stored under one of these tags: of the namespace, or without one of the whole tenant',
    )
    .option('--sessions', 'the sessions, and no entries: everybody is logged out')
    .option('--rate-limits', 'what limiters have counted, and no entries')
    .option('--dry-run', 'say how much is alive there, and clear nothing')
    .option('--yes', 'do not ask; needed where there is no terminal')
    .addOption(isolationOption())
    .action(clear)
}

async function clear(flags: ClearFlags): Promise<void> {
  requireFlag('--tenant', flags.tenant, "An app without tenants has one, 'default'.")
  assertFit(flags)
  if (!flags.dryRun) requireAnswer(flags.yes)
  await withStash(flags, (stash) => run(stash, flags), { timeoutMs: longMs })
}

function assertFit({ namespace, namespaceVersion, tag, sessions, rateLimits }: ClearFlags): void {
  if (tag !== undefined && (sessions || rateLimits))
    throw new UsageError('--tag goes with entries: leave --sessions and --rate-limits out.')
  if (sessions && rateLimits)
    throw new UsageError('--sessions and --rate-limits exclude each other. Run it once for each.')
  if (namespaceVersion !== undefined && (namespace === undefined || sessions || rateLimits))
    throw new UsageError(
      '--namespace-version goes with --namespace, of entries. Name that too, or leave the version out.',
    )
  if (namespace === '')
    throw new InvalidArgumentError('--namespace', 'is empty', 'Name the namespace, or leave it out.')
}

async function run(stash: PgStash, flags: ClearFlags): Promise<void> {
  const { tenant, namespace, dryRun, yes, json } = flags
  const { kind, place, count, clear } = targetOf(stash, flags)
  const tell = (done: string, live: number | undefined) => {
    const tags = flags.tag === undefined ? {} : { tags: flags.tag }
    const document = {
      isDryRun: dryRun === true,
      kind,
      tenant,
      namespace: namespace ?? null,
      ...tags,
      live: live ?? null,
    }
    print(json, document, printable(`${done} ${amountOf(kind, live)} of ${place}.`))
  }
  // Of entries the count reads them all, the clear is one small write: who wants no answer does not wait for it.
  const found = dryRun || !yes ? await count() : undefined
  if (dryRun) return tell('Would clear', found)
  if (!yes) await confirm(`Clear ${amountOf(kind, found)} of ${place} in the schema ${stash.schema}?`)
  const cleared = await clear()
  tell('Cleared', found ?? cleared)
}

function amountOf(kind: Target['kind'], live: number | undefined): string {
  return live === undefined ? `all ${words[kind][1]}` : counted(live, ...words[kind])
}

function targetOf(stash: PgStash, flags: ClearFlags): Target {
  const { tenant: name, namespace, sessions, rateLimits } = flags
  const place = namespace === undefined ? `tenant ${name}` : `tenant ${name}, namespace ${storedName(flags)}`
  if (flags.tag !== undefined) return taggedOf(stash, flags, flags.tag, place)
  if (!sessions && !rateLimits) return entriesOf(stash, flags, place)
  const kind = sessions ? 'sessions' : 'rate-limits'
  const rows = stash.tenantRows(name)
  const space = namespace ?? null
  return { kind, place, count: () => rows.count(kind, space), clear: () => rows.delete(kind, space) }
}

function taggedOf(stash: PgStash, flags: ClearFlags, tags: readonly string[], place: string): Target {
  const tenant = stash.tenant(flags.tenant)
  const tagged =
    flags.namespace === undefined ? tenant : tenant.namespace(flags.namespace, { version: flags.namespaceVersion })
  const count = () => tenant.tables.entries.countTagged(tenant.name, storedName(flags) ?? '', tags)
  const named = `${tags.length === 1 ? 'tag' : 'tags'} ${tags.join(', ')}`
  return {
    kind: 'entries',
    place: `${place}, ${named}`,
    count,
    clear: () => tagged.deleteByTag(tags).then(() => undefined),
  }
}

function entriesOf(stash: PgStash, flags: ClearFlags, place: string): Target {
  const tenant = stash.tenant(flags.tenant)
  const cache =
    flags.namespace === undefined ? tenant : tenant.namespace(flags.namespace, { version: flags.namespaceVersion })
  const stored = storedName(flags)
  const count = async () => {
    const { live, namespaces } = await tenant.stats()
    return stored === undefined ? live : (namespaces.find(({ namespace }) => namespace === stored)?.live ?? 0)
  }
  return { kind: 'entries', place, count, clear: () => cache.clear().then(() => undefined) }
}

function storedName({ namespace, namespaceVersion }: ClearFlags): string | undefined {
  return namespaceVersion === undefined ? namespace : `${namespace}@v${namespaceVersion}`
}
