import { latencyBoundsMs, type Meter } from '../../coalescing/meter'
import type { PoolUse } from '../../postgres/wire/driver'
import type { NearStats } from './near-stats'

/** How one verb did in this process, since the stash was made. */
export interface OperationMetrics {
  /** The verb: `get`, `session.get`, `limit.consume`, … */
  readonly operation: string
  /** Calls that have ended, failed ones among them. */
  readonly calls: number
  /** Calls that ended with an error. */
  readonly failures: number
  /** Keys of reads that were found. */
  readonly hits: number
  /** Keys of reads that were not found. */
  readonly misses: number
  /** Statements that carried calls. */
  readonly statements: number
  /** Rows that these statements asked for. */
  readonly rows: number
  /** Calls a statement; undefined: there was none. */
  readonly callsPerStatement: number | undefined
  /** Milliseconds, waiting included; undefined: there was no call. About right: within a quarter. */
  readonly meanMs: number | undefined
  /** The median, in milliseconds; undefined: there was no call. */
  readonly p50Ms: number | undefined
  /** Of a hundred calls 99 took no longer, in milliseconds; undefined: there was no call. */
  readonly p99Ms: number | undefined
  /** Calls that took at most so many milliseconds, and longer than the bound before; without empty ones. */
  readonly latencies: readonly {
    /** The bound, in milliseconds. */
    readonly upToMs: number
    /** How many there were. */
    readonly calls: number
  }[]
}

/** How a stash does in this process. */
export interface StashMetrics {
  /** Each verb that was called. */
  readonly operations: readonly OperationMetrics[]
  /** Of all reads of entries and sessions, 0 to 1; undefined: there were none. */
  readonly hitRatio: number | undefined
  /** Of all verbs together. */
  readonly callsPerStatement: number | undefined
  /** Calls that have not been answered yet. */
  readonly callsUnderWay: number
  /** undefined where the pool does not tell. */
  readonly pool: PoolUse | undefined
  /** What is held near; undefined: nothing ever was. */
  readonly near: NearStats | undefined
}

export type { PoolUse }

export function metricsOf(
  meters: readonly Meter[],
  { callsUnderWay, pool, near }: Pick<StashMetrics, 'callsUnderWay' | 'pool' | 'near'>,
): StashMetrics {
  const used = meters.filter(({ calls, batches }) => calls > 0 || batches > 0)
  const reads = used.filter(({ operation }) => !operation.startsWith('limit.'))
  const sum = (of: readonly Meter[], field: 'hits' | 'misses' | 'carried' | 'batches') =>
    of.reduce((total, meter) => total + meter[field], 0)
  return {
    operations: used.map(operationOf),
    hitRatio: ratio(sum(reads, 'hits'), sum(reads, 'hits') + sum(reads, 'misses')),
    callsPerStatement: ratio(sum(used, 'carried'), sum(used, 'batches')),
    callsUnderWay,
    pool,
    near,
  }
}

function operationOf(meter: Meter): OperationMetrics {
  const { operation, calls, failures, hits, misses, batches, rows, carried, totalMs, buckets } = meter
  return {
    operation,
    calls,
    failures,
    hits,
    misses,
    statements: batches,
    rows,
    callsPerStatement: ratio(carried, batches),
    meanMs: ratio(totalMs, calls),
    p50Ms: quantile(meter, 0.5),
    p99Ms: quantile(meter, 0.99),
    latencies: latencyBoundsMs
      .map((upToMs, at) => ({ upToMs, calls: buckets[at] as number }))
      .filter((bucket) => bucket.calls > 0),
  }
}

/** The bound of the bucket that the call lies in. */
function quantile({ calls, buckets }: Meter, share: number): number | undefined {
  if (calls === 0) return undefined
  let seen = 0
  const at = buckets.findIndex((count) => {
    seen += count
    return seen >= calls * share
  })
  return latencyBoundsMs[at]
}

function ratio(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole
}
