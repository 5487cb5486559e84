import type { ImportTally } from '../../stash/import/job'
import { ProgressBar } from '../console/progress-bar'
import { number } from '../console/quantity'

/** How far an import has come, and how fast it goes. */
export class ImportProgress {
  readonly #bar = new ProgressBar()
  readonly #total: number | undefined
  readonly #startedAt = performance.now()

  /** @param total entries of the source, about; undefined: nobody knows */
  constructor(total: number | undefined) {
    this.#total = total
  }

  show({ read, readBefore }: ImportTally): void {
    const done = readBefore + read
    const rate = Math.round((read / (performance.now() - this.#startedAt)) * 1000)
    const counts = `${number(done)} read, ${number(rate)}/s`
    if (this.#total) this.#bar.show(done / this.#total, `${counts}, about ${number(this.#total)} there`)
    else this.#bar.show(undefined, counts)
  }

  end(): void {
    this.#bar.end()
  }
}
