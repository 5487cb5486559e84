import { randomFillSync } from 'node:crypto'
import { now } from '../../own-clock'

/** Random numbers are fetched so many at a time: one at a time costs as much as a statement's arguments. */
const fetchedAtOnce = 512

/** For so long at least an acknowledged write is known as one's own; who polls less often takes it for a foreign one, and forgets what it wrote. */
const keptMs = 60_000

/** More in that time than any process writes; beyond it, the older half is taken for foreign. */
const mostKept = 200_000

/**
 * The writes of this process, by the number that travels in their log rows. Only those whose commit is known are passed over when the log is read: a write whose answer
 * was lost may commit later than one thinks, and is to be treated as somebody else's.
 */
export class OwnWrites {
  /**
   * Where the events of whoever holds something near stand; undefined: nobody does, and nothing is kept. A write that was acknowledged counts as of then: what was asked before is void, as by
   * a foreign one, and what was written through since may stay.
   */
  stamp: (() => number) | undefined
  readonly #random = new BigUint64Array(fetchedAtOnce)
  #used = fetchedAtOnce
  /** Two halves, the younger one first: time passes without a look at each. */
  #younger = new Map<string, number>()
  #older = new Map<string, number>()
  #turnedAt = now()

  /** 63 random bits, as text: drawn anew for each write, so that no two processes meet in one. */
  next(): string {
    if (this.#used === fetchedAtOnce) {
      randomFillSync(this.#random)
      this.#used = 0
    }
    const bits = this.#random[this.#used] as bigint
    this.#used += 1
    return (bits >> 1n).toString()
  }

  /** The commit of this write is known. Before anybody hears of it. */
  acknowledge(nonce: string): void {
    if (this.stamp === undefined) return
    const time = now()
    if (time - this.#turnedAt > keptMs || this.#younger.size >= mostKept / 2) {
      this.#older = this.#younger
      this.#younger = new Map()
      this.#turnedAt = time
    }
    this.#younger.set(nonce, this.stamp())
  }

  /** The stamp of that moment; undefined: it was not acknowledged, or that was long ago, or it is not of this process. */
  acknowledgedAt(nonce: string): number | undefined {
    return this.#younger.get(nonce) ?? this.#older.get(nonce)
  }

  /** Its log row has been read: it comes once. */
  forget(nonce: string): void {
    if (!this.#younger.delete(nonce)) this.#older.delete(nonce)
  }
}
