import { now } from '../../own-clock'

/** A process that takes a lock again and again may do so for so long while others wait: then it lets each of them ask once. */
const longestStreakMs = 500

/** The longest that anybody waits between two questions. */
export const longestPauseMs = 250

/** Who waits for a lock in this process. */
export interface Waiter {
  /** It is worth looking again. */
  wake(): void
}

/**
 * One lock as this process sees it. Of all that wait for it here one asks the database, and nobody while it is held here: whoever releases it wakes the next.
 */
export class Place {
  readonly #waiters = new Set<Waiter>()
  #isHeld = false
  #streakSince: number | undefined
  #yieldsUntil = 0

  /** Nobody holds it here, or waits. */
  get isIdle(): boolean {
    return !this.#isHeld && this.#waiters.size === 0
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  enter(waiter: Waiter): void {
    this.#waiters.add(waiter)
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    this.#wakeFirst()
  }

  /** For how long there is no use in asking; 0: now is the time. Who is woken looks again. */
  waitsMs(waiter: Waiter): number {
    const [first] = this.#waiters
    if (this.#isHeld || first !== waiter) return Number.POSITIVE_INFINITY
    return Math.max(0, this.#yieldsUntil - now())
  }

  /** Somebody of this process has it. */
  taken(): void {
    this.#isHeld = true
    this.#streakSince ??= now()
  }

  /** Another process has it. */
  refused(): void {
    this.#streakSince = undefined
  }

  /** It was released here, or lost. @param isWanted another process waits for it */
  ended(isWanted: boolean): void {
    this.#isHeld = false
    if (isWanted && now() - (this.#streakSince ?? now()) >= longestStreakMs) {
      this.#yieldsUntil = now() + longestPauseMs
      this.#streakSince = undefined
    }
    this.#wakeFirst()
  }

  #wakeFirst(): void {
    const [first] = this.#waiters
    first?.wake()
  }
}
