import { channel } from 'node:diagnostics_channel'
import type { Address } from '../../coalescing/address'

/** Published when a load has ended; docs/guide/operations.md, "Events", documents it. */
const events = channel('pgstash:load')

/** A message of the channel `pgstash:load`. */
export interface LoadMessage {
  /** Whose value it is. */
  readonly tenant: string
  /** As it is stored, with its version. */
  readonly namespace: string
  /**
   * `loaded`; `none`: there is no value; `skipped` and `not-modified`: as the loader said; `failed`: it threw; `timed-out`: it took more than `maxLoadMs`; `abandoned`: nobody waited for it any
   * more, or the stash was closed.
   */
  readonly outcome: LoadEnd
  /** How long the loader took, in milliseconds. */
  readonly durationMs: number
  /** Whether what it made, or made fresh, is in the database: not where something voided it meanwhile. */
  readonly isStored: boolean
}

/** How a load ended. */
export type LoadEnd = 'loaded' | 'none' | 'skipped' | 'not-modified' | 'failed' | 'timed-out' | 'abandoned'

export function tellLoad(
  { tenant, namespace }: Address,
  outcome: LoadEnd,
  durationMs: number,
  isStored: boolean,
): void {
  if (!events.hasSubscribers) return
  const message: LoadMessage = { tenant, namespace, outcome, durationMs, isStored }
  events.publish(message)
}
