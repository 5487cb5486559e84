import type { ValueNotice } from './value'

/** What an import has done so far. What was read is what was written and what was skipped, each for one reason. */
export class ImportTally {
  written = 0
  /** Of the written: values that stayed text although JSON was asked for. */
  notJson = 0
  /** Of the written: JSON with numbers or equal names that JavaScript does not keep. */
  inexact = 0
  /** Of the written: sessions that have a user. */
  withUser = 0
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

  count(outcome: string, notices: readonly (ImportNotice | undefined)[] = []): void {
    this.#read += 1
    if (outcome !== 'written') {
      this.#skipped.set(outcome, (this.#skipped.get(outcome) ?? 0) + 1)
      return
    }
    this.written += 1
    for (const notice of notices) if (notice !== undefined) this[notice] += 1
  }
}

/** What is told of the written. */
export type ImportNotice = ValueNotice | 'withUser'
