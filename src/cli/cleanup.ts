import type { Command } from 'commander'
import type { PgStash } from '../stash/pg-stash'
import { StoppedError } from './failure'
import { ProgressBar } from './progress-bar'
import { counted, number } from './quantity'
import { interruption, longMs, type StashFlags, stashCommand, withStash } from './stash-command'
import { print } from './terminal'

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
  const { expired, cleared, sessions, rateLimits } = await stash.stats({ exact: true })
  const document = { isDryRun: true, expired, cleared, sessions: sessions.expired, rateLimits: rateLimits.expired }
  const text =
    `Would remove ${counted(expired, 'expired entry', 'expired entries')}, ${number(cleared)} cleared, ` +
    `${counted(sessions.expired, 'session', 'sessions')}, ${counted(rateLimits.expired, 'rate limit', 'rate limits')}.`
  print(json, document, text)
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
  const text = `Removed ${number(swept.expired)} expired and ${number(swept.cleared)} cleared rows in ${seconds.toFixed(1)} s.`
  if (signal.aborted) throw new StoppedError(`before the end. ${text}`)
  print(json, { isDryRun: false, ...swept, seconds }, text)
}
