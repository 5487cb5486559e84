import type { CounterState, Limit } from '../entry/limit'

interface Window {
  hits: number
  endsAt: number
}

interface Counted {
  readonly isGranted: boolean
  readonly limit: Limit
  readonly state: CounterState
}

/** Callers counted at most; the oldest goes first. */
const maxCallers = 10_000

/** Fixed windows of this process alone, for `onError: 'memory'`: better than none while the database is away. */
export class MemoryCounters {
  readonly #byId = new Map<string, Window>()

  /** Counts a hit if it fits; answers the window, as a counter of the database is told. */
  consume(id: string, limit: Limit, cost: number): Counted {
    const window = this.#windowOf(id, limit.windowMs)
    const isGranted = window.hits + cost <= limit.limit
    if (isGranted) window.hits += cost
    const resetLeft = Math.ceil(window.endsAt - performance.now())
    const state = { hits: window.hits, previous: 0, resetLeft, tatLeft: null, blockLeft: null, strikes: 0 }
    return { isGranted, limit: { ...limit, algorithm: 'fixed-window' }, state }
  }

  #windowOf(id: string, windowMs: number): Window {
    const now = performance.now()
    const known = this.#byId.get(id)
    if (known !== undefined && known.endsAt > now) return known
    this.#byId.delete(id)
    if (this.#byId.size >= maxCallers) this.#byId.delete(this.#byId.keys().next().value as string)
    const window = { hits: 0, endsAt: now + windowMs }
    this.#byId.set(id, window)
    return window
  }
}
