const redrawnEveryMs = 100
const width = 30

/** One line on a terminal, written over; nothing anywhere else. On stderr, so that stdout keeps the result alone. */
export class ProgressBar {
  #drawnAt = 0

  /** @param share 0 to 1; undefined: nobody knows, and the text stands alone */
  show(share: number | undefined, text: string): void {
    const now = performance.now()
    if (!process.stderr.isTTY || now - this.#drawnAt < redrawnEveryMs) return
    this.#drawnAt = now
    process.stderr.write(`\r\x1b[K${share === undefined ? '' : barOf(Math.min(1, share))}${text}`)
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}

function barOf(share: number): string {
  const full = Math.round(share * width)
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${Math.floor(share * 100)} % `
}
