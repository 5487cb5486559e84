import type { Cost, CostMeter } from './cost'

/** One figure: how fast, how long a single call took, and what it cost. */
export interface Figure {
  /** Operations a second; a batch of 100 counts as one. */
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU for an operation, in microseconds, here and at the server; NaN where nobody looked. */
  readonly nodeUs: number
  readonly serverUs: number
  /** Writes to the socket for an operation: how many travel together is one through this. */
  readonly roundTrips: number
  /** Statements for an operation; NaN where nobody tells. */
  readonly statements: number
}

/** Of the turns of one contestant: the median of each field, and between which values they lay. */
export interface Spread extends Figure {
  readonly least: Figure
  readonly most: Figure
}

const fields = ['rate', 'p50Ms', 'p99Ms', 'nodeUs', 'serverUs', 'roundTrips', 'statements'] as const

/** Calls `operation` from so many callers at once, each one call after the other, for so long. */
export async function measure(
  operation: () => Promise<unknown>,
  callers: number,
  durationMs: number,
  meter?: CostMeter,
): Promise<Figure> {
  const stop = await meter?.start()
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
  const tookMs = performance.now() - started
  return figureOf(latencies, tookMs, await stop?.())
}

const unseen: Cost = {
  nodeUs: Number.NaN,
  serverUs: Number.NaN,
  roundTrips: Number.NaN,
  statements: Number.NaN,
}

export function figureOf(latencies: number[], durationMs: number, cost: Cost = unseen): Figure {
  latencies.sort((a, b) => a - b)
  const calls = latencies.length
  return {
    rate: (calls / durationMs) * 1_000,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    nodeUs: cost.nodeUs / calls,
    serverUs: cost.serverUs / calls,
    roundTrips: cost.roundTrips / calls,
    statements: cost.statements / calls,
  }
}

/** Of what was measured with so many calls as one operation, one after the other; how long one took is a mean then. */
export function ofOneCall({ rate, ...rest }: Figure, calls: number): Figure {
  const shares = Object.entries(rest).map(([field, value]) => [field, value / calls])
  return { rate: rate * calls, ...(Object.fromEntries(shares) as typeof rest) }
}

/** Each field by itself. */
export function spreadOf(figures: readonly Figure[]): Spread {
  const each = (pick: (values: readonly number[]) => number) =>
    Object.fromEntries(
      fields.map((field) => [field, pick(figures.map((figure) => figure[field]))]),
    ) as unknown as Figure
  return { ...each(median), least: each((values) => Math.min(...values)), most: each((values) => Math.max(...values)) }
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
