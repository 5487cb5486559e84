const redrawnEveryMs = 100
const width = 30

/** One line on a terminal, written over; nothing anywhere else. On stderr, so that stdout keeps the result alone. */
export class ProgressBar {
  #drawnAt = 0

  show(share: number, text: string): void {
    const now = performance.now()
    if (!process.stderr.isTTY || now - this.#drawnAt < redrawnEveryMs) return
    this.#drawnAt = now
    const full = Math.round(share * width)
    process.stderr.write(
      `\r\x1b[K[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${Math.floor(share * 100)} % ${text}`,
    )
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}
