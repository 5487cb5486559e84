/**
 * How long memory may answer: while the log was read at most `maxStalenessMs` ago. The moment that counts is the one **before** the poll was sent: what was committed since may not
 * be in its answer. No other clock enters, so it holds whatever is lost: a bell, a poll, a connection, the time of this process.
 */
export class Bound {
  readonly #maxStalenessMs: number
  #checkedAt = Number.NEGATIVE_INFINITY

  constructor(maxStalenessMs: number) {
    this.#maxStalenessMs = maxStalenessMs
  }

  /** When the last poll that was answered and applied was sent. */
  get checkedAt(): number {
    return this.#checkedAt
  }

  /** @param sentAt of the poll whose answer has been applied */
  renew(sentAt: number): void {
    this.#checkedAt = sentAt
  }

  /** @param graceMs how much longer, in milliseconds */
  holdsAt(now: number, graceMs = 0): boolean {
    return now - this.#checkedAt <= this.#maxStalenessMs + graceMs
  }
}
