import type { Command } from 'commander'
import type { PgStash } from '../stash/pg-stash'
import type { Swept } from '../stash/upkeep/sweeper'
import { StoppedError } from './console/failure'
import { ProgressBar } from './console/progress-bar'
import { counted, number } from './console/quantity'
import { interruption, longMs, type StashFlags, stashCommand, withStash } from './console/stash-command'
import { print } from './console/terminal'

interface CleanupFlags extends StashFlags {
  readonly dryRun?: boolean
}

/** `pgstash cleanup`: one sweep now, for a job, or for whoever does not want to wait. */
export function cleanupCommand(): Command {
  return stashCommand('cleanup')
    .description('remove what is expired or cleared')
    .option('--dry-run', 'count what would go, and remove nothing')
    .action(cleanup)
}

async function cleanup(flags: CleanupFlags): Promise<void> {
  const { dryRun, json } = flags
  // The count is one statement; a sweep goes in steps.
  if (dryRun) await withStash(flags, (stash) => look(stash, json), { timeoutMs: longMs })
  else await withStash(flags, (stash) => sweep(stash, json))
}

async function look(stash: PgStash, json: boolean | undefined): Promise<void> {
  const stats = await stash.stats({ exact: true })
  const [sessions, rateLimits] = [stats.sessions.expired, stats.rateLimits.expired]
  const found = { expired: stats.expired + sessions + rateLimits, sessions, rateLimits, cleared: stats.cleared }
  print(json, { isDryRun: true, ...found }, `Would remove ${toldOf(found)}.`)
}

async function sweep(stash: PgStash, json: boolean | undefined): Promise<void> {
  const { signal } = interruption()
  const bar = new ProgressBar()
  const started = performance.now()
  const onProgress = json
    ? undefined
    : ({ share, expired, cleared }: { share: number; expired: number; cleared: number }) =>
        bar.show(share, `${number(expired + cleared)} removed`)
  const swept = await stash.sweep({ signal, onProgress }).finally(() => bar.end())
  const seconds = Math.round(performance.now() - started) / 1_000
  const text = `Removed ${toldOf(swept)} in ${seconds.toFixed(1)} s.`
  if (signal.aborted) throw new StoppedError(`before the end. ${text}`)
  print(json, { isDryRun: false, ...swept, seconds }, text)
}

type Found = Pick<Swept, 'expired' | 'sessions' | 'rateLimits' | 'cleared'>

function toldOf({ expired, sessions, rateLimits, cleared }: Found): string {
  const entries = counted(expired - sessions - rateLimits, 'expired entry', 'expired entries')
  const others = `${counted(sessions, 'session', 'sessions')}, ${counted(rateLimits, 'rate limit', 'rate limits')}`
  return `${entries}, ${others}, ${number(cleared)} cleared`
}
