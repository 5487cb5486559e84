import { type ImportTally, importedNamespace } from '../../stash/import/job'
import type { ImportSource } from '../../stash/import/source'
import { counted, number } from '../console/quantity'
import { printable } from '../console/terminal'
import type { ImportFlags } from './flags'

/** What `--json` prints. */
export interface ImportReport {
  readonly source: string
  /** What people should know of the source: a sentence each. */
  readonly notes: readonly string[]
  readonly as: 'entries' | 'sessions'
  readonly target: {
    readonly schema: string
    readonly tenant: string
    readonly namespace: string
    readonly namespaceVersion: number | null
  }
  readonly dryRun: boolean
  /** The sum of what was written and what was skipped. */
  readonly read: number
  /** With `dryRun`: that would have been. */
  readonly written: number
  readonly skipped: Readonly<Record<string, number>>
  readonly notJson: number
  readonly inexact: number
  /** Of the sessions written: how many have a user. */
  readonly withUser: number
  /** By the run that this one went on from; 0: none. */
  readonly readBefore: number
  readonly seconds: number
  /** By Ctrl-C, before the end. */
  readonly isStopped: boolean
}

export function reportOf(
  tally: ImportTally,
  { name, notes }: ImportSource,
  schema: string,
  { as = 'entries', tenant = 'default', namespace, namespaceVersion, dryRun = false }: ImportFlags,
  elapsedMs: number,
): ImportReport {
  const { read, written, skipped, notJson, inexact, withUser, readBefore, isStopped } = tally
  const place = { tenant, namespace: importedNamespace({ as, namespace }) }
  const target = { schema, ...place, namespaceVersion: namespaceVersion ?? null }
  const seconds = Math.round(elapsedMs) / 1000
  const counts = { read, written, skipped, notJson, inexact, withUser, readBefore }
  return { source: name, notes, as, target, dryRun, ...counts, seconds, isStopped }
}

export function summaryOf(report: ImportReport): string {
  const { source, notes, as, target, dryRun, read, written, readBefore, seconds } = report
  const amount = as === 'sessions' ? counted(written, 'session', 'sessions') : number(written)
  const lines = [
    `Read ${number(read)} from ${source} in ${seconds.toFixed(1)} s.`,
    ...notes,
    ...(readBefore > 0 ? [`An earlier run had read ${number(readBefore)}; this one went on from there.`] : []),
    `${dryRun ? 'Would write' : 'Wrote'} ${amount} to ${target.schema}, tenant ${target.tenant}, namespace ${target.namespace}.`,
    ...remarksOf(report),
  ]
  return lines.map(printable).join('\n')
}

function remarksOf(report: ImportReport): string[] {
  const { as, written, skipped, notJson, inexact, withUser } = report
  const reasons = Object.entries(skipped).map(([reason, count]) => `${number(count)} ${reason}`)
  return [
    ...(hasFoundNothing(report)
      ? ['Nothing was there to read: look at its keys, and compare --strip-prefix and --match.']
      : []),
    ...(as === 'sessions' && written > 0 ? [`With a user: ${number(withUser)}.`] : []),
    ...(reasons.length > 0 ? [`Skipped: ${reasons.join(', ')}.`] : []),
    ...(notJson > 0 ? [`No JSON, or none that JavaScript could say again, kept as text: ${number(notJson)}.`] : []),
    ...(inexact > 0 ? [`With numbers or equal names that JavaScript does not keep: ${number(inexact)}.`] : []),
  ]
}

/** A prefix that is written otherwise reads nothing, and fails nowhere. */
function hasFoundNothing({ read, readBefore, isStopped }: ImportReport): boolean {
  return read + readBefore === 0 && !isStopped
}
