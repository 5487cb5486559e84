import type { Address } from '../../coalescing/address'
import type { FoundEntry } from '../../postgres/loading/table'

/** What became of a flight. */
export interface Outcome {
  /** The step by which it came about. */
  readonly asOf: number
  /** Whether it is an answer only to those who joined before that step: what voided it may have been acknowledged before the others asked. */
  readonly isForEarlier: boolean
  /** For one caller. */
  read(): unknown
}

/** What may be served while the load goes on. */
export interface Stale {
  readonly asOf: number
  readonly entry: FoundEntry
}

/**
 * One load of one key in this process: who asks for the key meanwhile joins it. It ends with an outcome, and may have something stale to serve before. What is done for it is done elsewhere; here
 * is who waits, and from when on.
 */
export class Flight {
  /** undefined: nothing. Settled before the outcome, at the latest with it. */
  readonly stale: Promise<Stale | undefined>
  readonly outcome: Promise<Outcome>
  /** Those for which its loader waits. */
  readonly waitsFor = new Set<Flight>()
  /** It goes on when nobody waits for it any more. */
  isBackground = false
  /** Its loader runs. */
  hasBegun = false
  readonly #controller = new AbortController()
  #step = 0
  #callers = 0
  #isDetached = false
  #onDetached: (() => void) | undefined
  #tellStale!: (stale: Stale | undefined) => void
  #land!: (outcome: Outcome | Promise<Outcome>) => void

  constructor(
    readonly address: Address,
    /** As the index holds it. */
    readonly key: string,
    readonly isForced: boolean,
  ) {
    this.stale = new Promise((resolve) => {
      this.#tellStale = resolve
    })
    this.outcome = new Promise((resolve) => {
      this.#land = resolve
    })
    // Those who wait hear of it.
    this.outcome.catch(() => {})
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get isDetached(): boolean {
    return this.#isDetached
  }

  /** A step begins whose answer is one to those who joined before it. */
  step(): number {
    this.#step += 1
    return this.#step
  }

  /** @returns the step it was at */
  join(): number {
    this.#callers += 1
    return this.#step
  }

  /** @param reason what the load is told where nobody is left */
  leave(reason: () => unknown): void {
    this.#callers -= 1
    if (this.#callers === 0 && !this.isBackground) this.abort(reason())
  }

  tellStale(stale: Stale | undefined): void {
    this.#tellStale(stale)
  }

  land(outcome: Promise<Outcome>): void {
    const settled = () => {
      this.isBackground = true
      this.#tellStale(undefined)
    }
    outcome.then(settled, settled)
    this.#land(outcome)
  }

  /** Nobody joins any more, and nothing of it is stored. */
  detach(): void {
    if (this.#isDetached) return
    this.#isDetached = true
    this.#onDetached?.()
  }

  /** Called once it is detached; at once where it is. */
  whenDetached(work: () => void): void {
    this.#onDetached = work
    if (this.#isDetached) work()
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** Whether it waits for `other`, by whatever way. */
  reaches(other: Flight, seen = new Set<Flight>()): boolean {
    if (this === other) return true
    if (seen.has(this)) return false
    seen.add(this)
    for (const next of this.waitsFor) if (next.reaches(other, seen)) return true
    return false
  }
}
