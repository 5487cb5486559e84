import { isDigest, keptName, ownCopy } from '../../entry/kept-name'
import type { CounterState, Limit } from '../../entry/limits/limit'
import { now } from '../../own-clock'

interface Window {
  hits: number
  endsAt: number
}

export interface MemoryLimit {
  readonly id: string
  readonly limit: Limit
}

/** Callers counted at most; the oldest goes first. */
const maxCallers = 10_000

/** Fixed windows of this process alone, for `onError: 'memory'`: better than none while the database is away. */
export class MemoryCounters {
  readonly #byId = new Map<string, Window>()

  /** Counts a hit in all of the limits, if it fits in all; answers the windows as the database would. */
  consume(limits: readonly MemoryLimit[], cost: number): { isGranted: boolean; states: readonly CounterState[] } {
    const windows = limits.map(({ id, limit }) => this.#windowOf(id, limit.windowMs))
    const isGranted = windows.every(({ hits }, at) => hits + cost <= (limits[at] as MemoryLimit).limit.limit)
    if (isGranted) for (const window of windows) window.hits += cost
    return { isGranted, states: windows.map(stateOf) }
  }

  /** Counts hits whatever the limits say. */
  add(limits: readonly MemoryLimit[], hits: number): void {
    for (const { id, limit } of limits) this.#windowOf(id, limit.windowMs).hits += hits
  }

  /** Never below none; answers how many were taken back in all of them. */
  takeBack(ids: readonly string[], hits: number): number {
    if (this.#byId.size === 0) return 0
    const moment = now()
    const windows = ids.map((id) => this.#byId.get(keptName(id)))
    const counted = windows.map((window) => (window !== undefined && window.endsAt > moment ? window.hits : 0))
    for (const window of windows) if (window !== undefined) window.hits = Math.max(0, window.hits - hits)
    return Math.min(hits, ...counted)
  }

  /** undefined: nothing is counted. */
  statesOf(ids: readonly string[]): (CounterState | undefined)[] {
    const moment = now()
    return ids.map((id) => {
      const window = this.#byId.get(keptName(id))
      return window !== undefined && window.endsAt > moment ? stateOf(window) : undefined
    })
  }

  forget(ids: readonly string[]): void {
    for (const id of ids) this.#byId.delete(keptName(id))
  }

  /** Those of long ids as well: they may begin so. */
  forgetPrefix(prefix: string): void {
    for (const id of this.#byId.keys()) if (id.startsWith(prefix) || isDigest(id)) this.#byId.delete(id)
  }

  clear(): void {
    this.#byId.clear()
  }

  #windowOf(given: string, windowMs: number): Window {
    const moment = now()
    const id = keptName(given)
    const known = this.#byId.get(id)
    if (known !== undefined && known.endsAt > moment) return known
    this.#byId.delete(id)
    if (this.#byId.size >= maxCallers) this.#byId.delete(this.#byId.keys().next().value as string)
    const window = { hits: 0, endsAt: moment + windowMs }
    this.#byId.set(ownCopy(id), window)
    return window
  }
}

function stateOf({ hits, endsAt }: Window): CounterState {
  const resetLeft = Math.ceil(endsAt - now())
  return { hits, previous: 0, resetLeft, tatLeft: null, blockLeft: null, strikes: 0 }
}
