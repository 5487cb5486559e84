import { CallAbortedError, LockTimeoutError, StashClosedError } from '../../errors'
import { startTimer, wakingNow } from '../../own-clock'
import type { LockClaim, LockTable } from '../../postgres/locks/table'
import { GivingUp } from './giving-up'
import type { LockTerms } from './options'
import { longestPauseMs, type Place, type Waiter } from './place'

/** Doubled with every question, up to {@link longestPauseMs}. */
const firstPauseMs = 20

/** A lock that was got. */
export interface Got {
  readonly token: number
  /** By the waking clock, before the request left. */
  readonly askedAt: number
}

interface Asked {
  readonly got: Got | undefined
  /** Of somebody else's lease, in milliseconds. */
  readonly leftMs: number
}

/** One caller's waiting for one lock: asks, pauses, asks again. */
export class Attempt implements Waiter {
  readonly #table: LockTable
  readonly #claim: LockClaim
  readonly #terms: LockTerms
  readonly #place: Place
  readonly #giving: GivingUp
  #isAsking = false
  #isWoken = false
  #endPause: (() => void) | undefined

  constructor(table: LockTable, claim: LockClaim, terms: LockTerms, place: Place) {
    this.#table = table
    this.#claim = claim
    this.#terms = terms
    this.#place = place
    const { signal, waitMs } = terms
    // One question is asked even so; it has the time limit of a call.
    const afterMs = waitMs === 0 ? null : waitMs
    this.#giving = new GivingUp(
      signal,
      afterMs,
      () => this.#late(),
      (reason) => new CallAbortedError(this.#isAsking ? 'unknown' : 'not-sent', reason),
    )
  }

  /** Asks once. undefined: somebody else holds it. */
  async once(): Promise<Got | undefined> {
    try {
      if (this.#place.isHeld) return undefined
      const asked = await this.#ask(false)
      return asked.got
    } finally {
      this.#giving.end()
    }
  }

  /** @throws {LockTimeoutError} held by others for as long as the caller waits */
  async untilGot(): Promise<Got> {
    if (this.#terms.waitMs === 0) return (await this.once()) ?? Promise.reject(this.#late())
    this.#place.enter(this)
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
        const waitsMs = this.#place.waitsMs(this)
        const { got, leftMs } = waitsMs > 0 ? { got: undefined, leftMs: waitsMs } : await this.#ask(true)
        if (got !== undefined) return got
        // Not all at one time. And at the end of the lease, where that is sooner.
        const fittingMs = waitsMs > 0 ? waitsMs : Math.min(pauseMs * (0.75 + Math.random() / 4), leftMs + 1)
        if (await this.#pause(fittingMs)) pauseMs = firstPauseMs / 2
      }
    } finally {
      this.#giving.end()
      this.#place.leave(this)
    }
  }

  wake(): void {
    this.#isWoken = true
    this.#endPause?.()
  }

  /** The stash is closed. */
  stop(): void {
    this.#giving.because(new StashClosedError())
  }

  /** Once more where the lease was over when the answer came, as after the first connection has been made: whoever holds a lock may ask again for it. */
  async #ask(isWaiting: boolean): Promise<Asked> {
    const first = await this.#askOnce(isWaiting)
    const isPast = first.got !== undefined && wakingNow() - first.got.askedAt >= this.#terms.leaseMs
    const asked = isPast ? await this.#askOnce(isWaiting) : first
    // Only what is answered at last counts: of a lease that is over, others may have taken the lock meanwhile, and nobody here would ever release it.
    if (asked.got === undefined) this.#place.refused()
    else this.#place.taken()
    return asked
  }

  async #askOnce(isWaiting: boolean): Promise<Asked> {
    const askedAt = wakingNow()
    this.#isAsking = true
    const asking = this.#table.take(this.#claim, this.#terms.leaseMs, isWaiting)
    try {
      const answer = await this.#giving.race(asking)
      if (answer.token !== undefined) return { got: { token: answer.token, askedAt }, leftMs: 0 }
      return { got: undefined, leftMs: answer.leftMs }
    } catch (error) {
      this.#giveBack(asking)
      throw error
    } finally {
      this.#isAsking = false
    }
  }

  /** Nobody waits for it any more; the lease would keep others out. */
  #giveBack(asking: ReturnType<LockTable['take']>): void {
    asking
      .then((answer) => (answer.token === undefined ? undefined : this.#table.release(this.#claim, answer.token)))
      .catch(() => {
        // It ends by itself.
      })
  }

  /** true: it was woken. */
  async #pause(ms: number): Promise<boolean> {
    if (!this.#isWoken) {
      let stop: (() => void) | undefined
      const over = new Promise<void>((resolve) => {
        this.#endPause = resolve
        // Somebody waits for it: the process stays.
        if (Number.isFinite(ms)) stop = startTimer(resolve, ms, true)
      })
      await this.#giving.race(over).finally(() => {
        stop?.()
        this.#endPause = undefined
      })
    }
    const wasWoken = this.#isWoken
    this.#isWoken = false
    return wasWoken
  }

  #late(): LockTimeoutError {
    return new LockTimeoutError(this.#claim.name, this.#terms.waitMs ?? 0)
  }
}
