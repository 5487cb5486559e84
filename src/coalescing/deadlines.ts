import { now as clock, startTimer, tickEpoch } from '../own-clock'

/** What has a time limit. A list of those that wait, oldest first, hangs off `older` and `newer`. */
export interface Waiting {
  older: Waiting | undefined
  newer: Waiting | undefined
  /** When the time limit began, last. */
  startedAt: number
  /** The time limit is over; it takes itself out of the list. */
  runOut(timeoutMs: number): void
}

/** How late a time limit may be noticed, and as a share of it: the limit of what is waited for runs out before that of who waits. A timer for each call would cost more than the call. */
const maxLatenessMs = 50
const maxLatenessShare = 1 / 20

/** Apart from the timer, whoever comes looks whether something was lost; so often at most. */
const lookEveryMs = 1

/**
 * Those that wait, oldest first. All have the same time limit, so one timer looks at the front of the list. It runs only while somebody waits, and keeps
 * the process alive only where it is told to. Time in which the event loop stood still counts for nobody: the answer may lie in the socket.
 */
export class Deadlines {
  readonly #timeoutMs: number
  readonly #tickMs: number
  readonly #onLook: () => void
  readonly #keepsAlive: boolean
  #oldest: Waiting | undefined
  #newest: Waiting | undefined
  #stopTimer: (() => void) | undefined
  #timerDueAt = 0
  #lookedAt = 0
  #epoch = tickEpoch()
  /** How long the event loop has stood still in all. */
  #blockedMs = 0
  #onIdle: (() => void) | undefined
  #size = 0

  /**
   * @param onLook called from time to time while somebody waits or comes: to start again what a lost callback has stopped
   * @param keepsAlive whether the process stays while somebody waits
   */
  constructor(timeoutMs: number, onLook: () => void = () => {}, keepsAlive = false) {
    this.#timeoutMs = timeoutMs
    this.#keepsAlive = keepsAlive
    this.#tickMs = Math.max(1, Math.min(maxLatenessMs, timeoutMs * maxLatenessShare))
    this.#onLook = onLook
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  add(waiting: Waiting, now: number): void {
    this.#size += 1
    waiting.startedAt = now - this.#blockedMs
    waiting.older = this.#newest
    if (this.#newest === undefined) this.#oldest = waiting
    else this.#newest.newer = waiting
    this.#newest = waiting
    if (now - this.#lookedAt >= lookEveryMs || tickEpoch() !== this.#epoch) this.#look(now)
    else if (this.#stopTimer === undefined) this.#startTimer(now)
  }

  remove(waiting: Waiting): void {
    this.#unlink(waiting)
    if (this.#oldest === undefined) this.#becomeIdle()
  }

  /** Its time limit begins anew. */
  renew(waiting: Waiting): void {
    this.#unlink(waiting)
    this.add(waiting, clock())
  }

  /** Resolves once nobody waits. */
  idle(): Promise<void> {
    if (this.#oldest === undefined) return Promise.resolve()
    this.#look(clock())
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** A timer that nobody needs comes once more and ends, unless it holds the process. */
  #becomeIdle(): void {
    if (this.#keepsAlive) {
      this.#stopTimer?.()
      this.#stopTimer = undefined
    }
    this.#onIdle?.()
  }

  #unlink(waiting: Waiting): void {
    this.#size -= 1
    if (waiting.older === undefined) this.#oldest = waiting.newer
    else waiting.older.newer = waiting.newer
    if (waiting.newer === undefined) this.#newest = waiting.older
    else waiting.newer.older = waiting.older
    waiting.older = undefined
    waiting.newer = undefined
  }

  #look(now: number): void {
    const hasChanged = tickEpoch() !== this.#epoch
    this.#lookedAt = now
    this.#epoch = tickEpoch()
    // Late by more than a tick, it may be lost, or is next.
    if (this.#stopTimer === undefined || hasChanged || now - this.#timerDueAt > this.#tickMs) this.#startTimer(now)
    this.#onLook()
  }

  #startTimer(now: number): void {
    this.#stopTimer?.()
    this.#timerDueAt = now + this.#tickMs
    this.#stopTimer = startTimer(this.#tick, this.#tickMs, this.#keepsAlive)
  }

  readonly #tick = (): void => {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    const now = clock()
    const lateMs = now - this.#timerDueAt
    if (lateMs > 2 * this.#tickMs) this.#blockedMs += lateMs
    while (this.#oldest !== undefined && now - this.#blockedMs - this.#oldest.startedAt >= this.#timeoutMs) {
      this.#oldest.runOut(this.#timeoutMs)
    }
    if (this.#oldest !== undefined) this.#look(now)
  }
}
