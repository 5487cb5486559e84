import type { Command } from 'commander'
import { InvalidArgumentError } from '../../errors'
import type { PgStash } from '../../stash/pg-stash'
import type { StashStats, TenantStats } from '../../stash/upkeep/stats'
import { UsageError } from '../console/failure'
import { seconds } from '../console/flag-values'
import { percent } from '../console/quantity'
import { isolationOption, longMs, type StashFlags, stashCommand, withStash } from '../console/stash-command'
import { print } from '../console/terminal'
import { heldScreen, stashScreen } from './screen'
import { watch } from './watch'

interface StatsFlags extends StashFlags {
  readonly tenant?: string
  readonly namespace?: string
  readonly exact?: boolean
  readonly watch?: number | true
}

interface Picture {
  readonly document: object
  readonly screen: string
}

const usualSeconds = 2

/** Enough to say goodbye to a server that answers. */
const closeMs = 200

/** `pgstash stats`: what the stash holds, once or as a live screen. */
export function statsCommand(): Command {
  return stashCommand('stats')
    .description('what the stash holds')
    .option('--tenant <name>', 'of one tenant; always counted whole')
    .option('--namespace <name>', 'of one namespace, with its versions')
    .addOption(isolationOption("rls: as the application's role under row-level security, of one tenant"))
    .option('--exact', 'read all of the tables, however large (default: of large ones a sample)')
    .option(
      '--watch [seconds]',
      `a live screen, every so many seconds (default: ${usualSeconds}); Ctrl-C ends it`,
      seconds,
    )
    .action(stats)
}

async function stats(flags: StatsFlags): Promise<void> {
  const { watch: every, json } = flags
  if (every !== undefined && json) throw new UsageError('--watch and --json exclude each other. Leave one of them out.')
  if (flags.namespace === '')
    throw new InvalidArgumentError('--namespace', 'is empty', 'Name the namespace, or leave it out.')
  if (flags.isolation === 'rls' && flags.tenant === undefined)
    throw new UsageError(
      "--isolation rls goes with --tenant: the application's role sees one tenant at a time. For all of them, connect as the owner of the tables, without --isolation.",
    )
  await withStash(
    flags,
    async (stash) => {
      if (every !== undefined) {
        await watch(every === true ? usualSeconds : every, async () => (await picture(stash, flags)).screen)
        await leave(stash)
      }
      const { document, screen } = await picture(stash, flags)
      print(json, document, screen)
    },
    { timeoutMs: longMs },
  )
}

/** Ctrl-C: a query that hangs, or a server that is gone, would keep close() waiting. */
async function leave(stash: PgStash): Promise<never> {
  await Promise.race([stash.close(), new Promise((resolve) => setTimeout(resolve, closeMs))])
  process.exit(0)
}

async function picture(stash: PgStash, { tenant, namespace, exact }: StatsFlags): Promise<Picture> {
  const { schema } = stash
  if (tenant !== undefined) return ofTenant(stash, tenant, namespace)
  const all = await stash.stats({ exact })
  if (namespace === undefined)
    return {
      document: { schema, ...all, nearLog: jsonOf(all.nearLog), lastSweep: all.lastSweep ?? null },
      screen: stashScreen(schema, all),
    }
  const { isEstimate, sampledShare } = all
  const held = narrowed(all, namespace)
  const how = isEstimate ? `an estimate: ${percent(sampledShare)} of the blocks were read` : 'counted whole'
  const document = { schema, tenant: null, namespace, isEstimate, sampledShare, ...held }
  return { document, screen: heldScreen(`namespace ${namespace}`, held, how) }
}

async function ofTenant(stash: PgStash, tenant: string, namespace: string | undefined): Promise<Picture> {
  const all = await stash.tenant(tenant).stats()
  const held = namespace === undefined ? all : narrowed(all, namespace)
  const title = namespace === undefined ? `tenant ${tenant}` : `tenant ${tenant}, namespace ${namespace}`
  const document = {
    schema: stash.schema,
    tenant,
    namespace: namespace ?? null,
    isEstimate: false,
    sampledShare: 1,
    ...held,
  }
  return { document, screen: heldScreen(title, held, 'counted whole') }
}

/** JSON has no undefined. */
function jsonOf(log: StashStats['nearLog']): object {
  return { ...log, reachesMsBack: log.reachesMsBack ?? null }
}

/** `views` and its versions, which are stored as `views@v2`. */
function narrowed({ namespaces }: TenantStats, name: string): TenantStats {
  const own = namespaces.filter(({ namespace }) => namespace.replace(/@v\d+$/, '') === name || namespace === name)
  const sum = (field: 'live' | 'expired' | 'cleared' | 'bytes') => own.reduce((total, space) => total + space[field], 0)
  return { live: sum('live'), expired: sum('expired'), cleared: sum('cleared'), bytes: sum('bytes'), namespaces: own }
}
