import type { ImportTally } from '../stash/import'
import type { ImportFlags } from './import-flags'
import { number } from './quantity'
import { printable } from './terminal'

/** What `--json` prints. */
export interface ImportReport {
  readonly source: string
  readonly target: {
    readonly schema: string
    readonly tenant: string
    readonly namespace: string
    readonly namespaceVersion: number | null
  }
  readonly dryRun: boolean
  readonly read: number
  /** With `dryRun`: that would have been. */
  readonly written: number
  readonly skipped: Readonly<Record<string, number>>
  readonly notJson: number
  /** By the run that this one went on from; 0: none. */
  readonly readBefore: number
  readonly seconds: number
  /** By Ctrl-C, before the end. */
  readonly isStopped: boolean
}

export function reportOf(
  tally: ImportTally,
  source: string,
  schema: string,
  { tenant = 'default', namespace, namespaceVersion, dryRun = false }: ImportFlags,
  elapsedMs: number,
): ImportReport {
  const { read, written, skipped, notJson, readBefore, isStopped } = tally
  const target = { schema, tenant, namespace, namespaceVersion: namespaceVersion ?? null }
  const seconds = Math.round(elapsedMs) / 1000
  return { source, target, dryRun, read, written, skipped, notJson, readBefore, seconds, isStopped }
}

export function summaryOf(report: ImportReport): string {
  const { source, target, dryRun, read, written, skipped, notJson, readBefore, seconds } = report
  const reasons = Object.entries(skipped).map(([reason, count]) => `${number(count)} ${reason}`)
  const lines = [
    `Read ${number(read)} from ${source} in ${seconds.toFixed(1)} s.`,
    ...(readBefore > 0 ? [`An earlier run had read ${number(readBefore)}; this one went on from there.`] : []),
    `${dryRun ? 'Would write' : 'Wrote'} ${number(written)} to ${target.schema}, tenant ${target.tenant}, namespace ${target.namespace}.`,
    ...(reasons.length > 0 ? [`Skipped: ${reasons.join(', ')}.`] : []),
    ...(notJson > 0 ? [`No JSON, kept as text: ${number(notJson)}.`] : []),
  ]
  return lines.map(printable).join('\n')
}
