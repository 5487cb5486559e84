/** One figure: how fast, and how long a single call took. */
export interface Figure {
  /** Operations a second; a batch of 100 counts as one. */
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Calls `operation` from so many callers at once, each one call after the other, for so long. */
export async function measure(operation: () => Promise<unknown>, callers: number, durationMs: number): Promise<Figure> {
  const latencies: number[] = []
  const started = performance.now()
  const until = started + durationMs
  const caller = async () => {
    for (let from = performance.now(); from < until; ) {
      await operation()
      const now = performance.now()
      latencies.push(now - from)
      from = now
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return figureOf(latencies, performance.now() - started)
}

export function figureOf(latencies: number[], durationMs: number): Figure {
  latencies.sort((a, b) => a - b)
  const rate = (latencies.length / durationMs) * 1_000
  return { rate, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) }
}

/** Of the turns of one contestant: each field's median by itself. */
export function medianOf(figures: readonly Figure[]): Figure {
  const middle = (field: keyof Figure) => median(figures.map((figure) => figure[field]))
  return { rate: middle('rate'), p50Ms: middle('p50Ms'), p99Ms: middle('p99Ms') }
}

export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  )
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
