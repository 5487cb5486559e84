import type { ImportTally } from '../stash/import'
import type { ImportFlags } from './import-flags'
import { grouped } from './import-progress'

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
}

export function reportOf(
  tally: ImportTally,
  source: string,
  schema: string,
  { tenant = 'default', namespace, namespaceVersion, dryRun = false }: ImportFlags,
  elapsedMs: number,
): ImportReport {
  const { read, written, skipped, notJson, readBefore } = tally
  const target = { schema, tenant, namespace, namespaceVersion: namespaceVersion ?? null }
  return { source, target, dryRun, read, written, skipped, notJson, readBefore, seconds: Math.round(elapsedMs) / 1000 }
}

export function summaryOf(report: ImportReport): string {
  const { source, target, dryRun, read, written, skipped, notJson, readBefore, seconds } = report
  const reasons = Object.entries(skipped).map(([reason, count]) => `${grouped(count)} ${reason}`)
  const lines = [
    `Read ${grouped(read)} from ${source} in ${seconds.toFixed(1)} s.`,
    ...(readBefore > 0 ? [`An earlier run had read ${grouped(readBefore)}; this one went on from there.`] : []),
    `${dryRun ? 'Would write' : 'Wrote'} ${grouped(written)} to ${target.schema}, tenant ${target.tenant}, namespace ${target.namespace}.`,
    ...(reasons.length > 0 ? [`Skipped: ${reasons.join(', ')}.`] : []),
    ...(notJson > 0 ? [`No JSON, kept as text: ${grouped(notJson)}.`] : []),
  ]
  return `${lines.join('\n')}\n`
}
