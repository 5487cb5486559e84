import { InvalidArgumentError } from '../../errors'
import { isOutage } from '../options/outage'
import { type Counters, type LimitedCounter, limitsOf, named } from './limited-counter'
import { MemoryCounters } from './memory-counters'
import { type RateLimitResult, resultOf } from './result'
import { counted, decided, standing } from './verdicts'

/**
 * What a limiter does while the database is away: fail the call, allow it, deny it, or count in this process. `throw` leaves it to the host
 * (express-rate-limit: `passOnStoreError`). Other than with `throw`, what is to be taken back or forgotten meanwhile is so in this process only.
 */
export type RateLimitOnError = 'throw' | 'open' | 'closed' | 'memory'

/** How long a caller is told to wait while the database is away and `onError` is `closed`. */
const closedForMs = 1_000

/** What a limiter decides by itself while the database is away. The ids are those of the counters, in their order. */
export class LocalDecisions {
  readonly #onError: RateLimitOnError
  readonly #memory = new MemoryCounters()
  readonly #decided = new WeakSet<RateLimitResult>()

  /** @throws {InvalidArgumentError} */
  constructor(onError: unknown) {
    this.#onError = onErrorOf(onError)
  }

  /** Whether a call that failed so is decided here. */
  takesOver(error: unknown): boolean {
    return this.#onError !== 'throw' && isOutage(error)
  }

  /** Whether a hit was decided here, so that the database did not count it. */
  hasDecided(hit: RateLimitResult): boolean {
    return this.#decided.has(hit)
  }

  consume(ids: readonly string[], counters: Counters, cost: number): RateLimitResult {
    const result = this.#uncounted(counters) ?? this.#count(ids, counters, cost)
    this.#decided.add(result)
    return result
  }

  /** Adds hits whatever the limits say, where `by` is more than 0; answers as `peek`. */
  adjust(ids: readonly string[], counters: Counters, by: number): RateLimitResult {
    if (by > 0) this.#memory.add(limitsOf(ids, counters), by)
    return this.#uncounted(counters) ?? standing(named(fixed(counters), this.#memory.statesOf(ids)), 1)
  }

  /** Never below none; answers how many were taken back on all of them. */
  takeBack(ids: readonly string[], hits: number): number {
    return this.#memory.takeBack(ids, hits)
  }

  forget(ids: readonly string[]): void {
    this.#memory.forget(ids)
  }

  forgetPrefix(prefix: string): void {
    this.#memory.forgetPrefix(prefix)
  }

  forgetAll(): void {
    this.#memory.clear()
  }

  /** undefined: hits are counted. */
  #uncounted(counters: Counters): RateLimitResult | undefined {
    if (this.#onError === 'open') return resultOf(true, named(counters, []), 0)
    if (this.#onError === 'closed') return resultOf(false, named(counters, []), closedForMs)
    return undefined
  }

  #count(ids: readonly string[], counters: Counters, cost: number): RateLimitResult {
    const limits = limitsOf(ids, counters)
    if (counters[0]?.counts !== undefined) {
      this.#memory.add(limits, cost)
      return counted(named(fixed(counters), this.#memory.statesOf(ids)), 0)
    }
    const { isGranted, states } = this.#memory.consume(limits, cost)
    return decided(isGranted, named(fixed(counters), states), cost)
  }
}

/** How this process counts. */
function fixed(counters: Counters): Counters {
  return counters.map(
    (counter): LimitedCounter => ({ ...counter, limit: { ...counter.limit, algorithm: 'fixed-window' } }),
  )
}

function onErrorOf(onError: unknown = 'throw'): RateLimitOnError {
  if (onError === 'throw' || onError === 'open' || onError === 'closed' || onError === 'memory') return onError
  throw new InvalidArgumentError('onError', 'must be throw, open, closed or memory', 'Leave it out for throw.')
}
