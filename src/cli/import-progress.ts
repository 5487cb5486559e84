import type { ImportTally } from '../stash/import'

const redrawnEveryMs = 100

/** One line on a terminal that is written over; nothing anywhere else. */
export class ImportProgress {
  readonly #out: NodeJS.WriteStream
  readonly #total: number | undefined
  readonly #startedAt = performance.now()
  #drawnAt = 0

  constructor(out: NodeJS.WriteStream, total: number | undefined) {
    this.#out = out
    this.#total = total
  }

  show(tally: ImportTally): void {
    const now = performance.now()
    if (!this.#out.isTTY || now - this.#drawnAt < redrawnEveryMs) return
    this.#drawnAt = now
    this.#out.write(`\r\x1b[K${this.#line(tally, now)}`)
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[K')
  }

  #line({ read, readBefore }: ImportTally, now: number): string {
    const done = readBefore + read
    const rate = Math.round((read / (now - this.#startedAt)) * 1000)
    const counts = `${grouped(done)} read, ${grouped(rate)}/s`
    return this.#total
      ? `${bar(Math.min(1, done / this.#total))} ${counts}, about ${grouped(this.#total)} there`
      : counts
  }
}

export function grouped(count: number): string {
  return count.toLocaleString('en')
}

function bar(share: number): string {
  const width = 30
  const full = Math.round(share * width)
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${Math.floor(share * 100)} %`
}
