/** Something between two moments. */
export interface Span {
  readonly start: number
  readonly until: number
}

/** Spans that are asked about often: what lies between, or beside, in steps of a binary search. */
export class Spans<Of extends Span> {
  readonly #byStart: Of[]
  /** Of those from a place on, the one that is over first. */
  readonly #soonest: Of[] = []
  /** Of those up to a place, when the last is over. */
  readonly #latest: number[] = []

  constructor(spans: readonly Of[]) {
    this.#byStart = [...spans].sort((a, b) => a.start - b.start)
    for (let at = this.#byStart.length - 1; at >= 0; at -= 1) {
      const [one, next] = [this.#byStart[at] as Of, this.#soonest[at + 1]]
      this.#soonest[at] = next === undefined || one.until < next.until ? one : next
    }
    for (const [at, { until }] of this.#byStart.entries())
      this.#latest.push(Math.max(until, this.#latest[at - 1] ?? Number.NEGATIVE_INFINITY))
  }

  /** One that began later than `after`, and was over before `before`. */
  between(after: number, before: number): Of | undefined {
    const found = this.#soonest[this.#countUpTo(after)]
    return found !== undefined && found.until < before ? found : undefined
  }

  /** Whether one was under way at some moment from `from` to `until`. */
  touch(from: number, until: number): boolean {
    const count = this.#countUpTo(until)
    return count > 0 && (this.#latest[count - 1] as number) >= from
  }

  /** Those under way from `from` to `until`. */
  touching(from: number, until: number): Of[] {
    const found: Of[] = []
    for (let at = this.#countUpTo(until) - 1; at >= 0 && (this.#latest[at] as number) >= from; at -= 1) {
      const one = this.#byStart[at] as Of
      if (one.until >= from) found.push(one)
    }
    return found
  }

  /** How many began at `moment` or before. */
  #countUpTo(moment: number): number {
    let [low, high] = [0, this.#byStart.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#byStart[middle] as Of).start <= moment) low = middle + 1
      else high = middle
    }
    return low
  }
}
