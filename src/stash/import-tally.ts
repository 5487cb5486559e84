/** What an import has done so far. */
export class ImportTally {
  written = 0
  /** Of the written: values that stayed text although JSON was asked for. */
  notJson = 0
  /** Before the end, by the signal. */
  isStopped = false
  readonly #skipped = new Map<string, number>()
  #read = 0

  /** @param readBefore by the run that this one goes on from */
  constructor(readonly readBefore: number) {}

  get read(): number {
    return this.#read
  }

  /** By reason; a type of Redis is one. */
  get skipped(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#skipped].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  count(outcome: string): void {
    this.#read += 1
    if (outcome === 'written') this.written += 1
    else this.#skipped.set(outcome, (this.#skipped.get(outcome) ?? 0) + 1)
  }
}
