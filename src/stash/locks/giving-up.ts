import { startTimer } from '../../own-clock'

/** When a caller who waits stops waiting, whatever he is at: by his signal, by the time, or because the stash is closed. */
export class GivingUp {
  /** Rejects, once. */
  readonly #happened: Promise<never>
  readonly #signal: AbortSignal | undefined
  readonly #stopTimer: (() => void) | undefined
  #reject: (error: unknown) => void = () => {}
  #onAbort = () => {}

  /**
   * @param afterMs null: never by the time
   * @param late the error where the time is over
   * @param aborted the error where the signal is aborted
   */
  constructor(
    signal: AbortSignal | undefined,
    afterMs: number | null,
    late: () => unknown,
    aborted: (reason: unknown) => unknown,
  ) {
    this.#signal = signal
    this.#happened = new Promise((_, reject) => {
      this.#reject = reject
    })
    // Whoever races it hears of it; where nobody does, there is nothing to hear.
    this.#happened.catch(() => {})
    // Somebody waits for it: the process stays.
    if (afterMs !== null) this.#stopTimer = startTimer(() => this.#reject(late()), afterMs, true)
    if (signal === undefined) return
    this.#onAbort = () => this.#reject(aborted(signal.reason))
    if (signal.aborted) this.#onAbort()
    else signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** As `work`, unless it happens before. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#happened, work])
  }

  because(error: unknown): void {
    this.#reject(error)
  }

  end(): void {
    this.#stopTimer?.()
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
