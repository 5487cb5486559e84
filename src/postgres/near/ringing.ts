import { now, startTimer } from '../../own-clock'

/** Two bells of a process are so far apart at least: each wakes all who listen, and they all ask the database. */
const shortestGapMs = 5

/** Of somebody who listens to nobody. */
export const namelessRing = ''

const ringMark = 'ring '

/** Tells who rings: a process that writes all the time would otherwise read the log after each of its own bells, and find what it knows. */
export function ringOf(name: string): string {
  return ringMark + name
}

/** Whether that is a bell; else it is what somebody tests himself with. */
export function isRing(payload: string): boolean {
  return payload === namelessRing || payload.startsWith(ringMark)
}

/** Rings at once where it has been quiet, and otherwise as soon as may be, once for all who asked meanwhile. */
export class Ringing {
  readonly #send: () => Promise<unknown>
  #lastAt = Number.NEGATIVE_INFINITY
  #isSending = false
  #isWanted = false
  #stopTimer: (() => void) | undefined

  /** @param send may reject: a bell that is not rung is made up for by the next poll */
  constructor(send: () => Promise<unknown>) {
    this.#send = send
  }

  ring(): void {
    if (this.#isSending || this.#stopTimer !== undefined) {
      this.#isWanted = true
      return
    }
    const waitMs = this.#lastAt + shortestGapMs - now()
    if (waitMs <= 0) this.#ringNow()
    else this.#ringIn(waitMs)
  }

  stop(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#isWanted = false
  }

  #ringIn(ms: number): void {
    this.#stopTimer = startTimer(() => {
      this.#stopTimer = undefined
      this.#ringNow()
    }, ms)
  }

  #ringNow(): void {
    this.#isWanted = false
    this.#isSending = true
    this.#lastAt = now()
    const done = () => {
      this.#isSending = false
      if (this.#isWanted) this.ring()
    }
    this.#send().then(done, done)
  }
}
