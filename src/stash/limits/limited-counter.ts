import type { StoredKey } from '../../entry/key'
import type { CounterState, Limit } from '../../entry/limits/limit'
import type { BlockRule, Counts } from '../../postgres/limits/table'
import type { MemoryLimit } from './memory-counters'
import type { NamedState } from './result'

/** A counter that a call is counted on. */
export interface LimitedCounter extends StoredKey {
  /** In the headers. */
  readonly name: string
  /** The limiter with its algorithm and window. */
  readonly namespace: string
  readonly limit: Limit
  readonly block: BlockRule | undefined
  /** Which hits count whatever the limit says; only where a call has no other counter. Default: those count that fit. */
  readonly counts?: Counts | undefined
}

/** Those of one call: one or more. */
export type Counters = readonly LimitedCounter[]

/** Whether the call takes a statement that decides on several rows: a block is one more. */
export function areSeveral(counters: Counters): boolean {
  return counters.length > 1 || counters[0]?.block !== undefined
}

/** Of each counter, among all of the stash. */
export function idsOf(tenant: string, counters: Counters): string[] {
  return counters.map(({ namespace, key }) => `${tenant}\0${namespace}\0${key}`)
}

/** As this process counts on them. */
export function limitsOf(ids: readonly string[], counters: Counters): MemoryLimit[] {
  return counters.map(({ limit }, at) => ({ id: ids[at] as string, limit }))
}

/** What they hold, in their order. */
export function named(counters: Counters, states: readonly (CounterState | undefined)[]): NamedState[] {
  return counters.map(({ name, limit }, at) => ({ name, limit, state: states[at] }))
}
