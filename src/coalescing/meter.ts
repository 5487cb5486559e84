import { channel } from 'node:diagnostics_channel'
import { PgStashError } from '../errors'
import type { Address } from './address'

/** Published for each call that ends, and for each statement that carried calls; docs/guide/operations.md, "Events", documents both. */
const calls = channel('pgstash:call')
const batches = channel('pgstash:batch')

/** A message of the channel `pgstash:call`. It holds neither keys nor values. */
export interface CallMessage {
  /** The verb: `get`, `set`, `session.get`, `limit.consume`, … */
  readonly operation: string
  readonly tenant: string
  readonly namespace: string
  readonly durationMs: number
  /** The code of an error of this package, `ERR_PGSTASH_…`; undefined: the call was answered. */
  readonly errorCode: string | undefined
}

/** A message of the channel `pgstash:batch`. */
export interface BatchMessage {
  readonly operation: string
  /** Calls that travelled together, in so many rows. */
  readonly calls: number
  readonly rows: number
  readonly durationMs: number
  readonly errorCode: string | undefined
}

/** Upper bounds of the latency buckets in milliseconds: each a quarter more than the one before, from 50 us to a minute and beyond. */
export const latencyBoundsMs: readonly number[] = Array.from({ length: 64 }, (_, at) => 0.05 * 1.25 ** at)

const perQuarter = 1 / Math.log(1.25)

/** How one verb does, since the stash was made. */
export class Meter {
  calls = 0
  failures = 0
  /** Of reads. */
  hits = 0
  misses = 0
  /** Statements that carried calls. */
  batches = 0
  rows = 0
  /** Calls in those. */
  carried = 0
  totalMs = 0
  /** Calls by latency; the last one also has all that took longer. */
  readonly buckets = new Float64Array(latencyBoundsMs.length)

  constructor(readonly operation: string) {}

  /** A call has ended. */
  end(address: Address, durationMs: number, error: unknown): void {
    this.calls += 1
    this.totalMs += durationMs
    if (error !== undefined) this.failures += 1
    const at = bucketOf(durationMs)
    this.buckets[at] = (this.buckets[at] as number) + 1
    if (!calls.hasSubscribers) return
    const { tenant, namespace } = address
    const message: CallMessage = { operation: this.operation, tenant, namespace, durationMs, errorCode: codeOf(error) }
    calls.publish(message)
  }

  /** A read was answered. */
  countHit(isHit: boolean): void {
    if (isHit) this.hits += 1
    else this.misses += 1
  }

  /** A statement has been answered, or has failed. */
  batch(rows: number, carried: number, durationMs: number, error?: unknown): void {
    this.batches += 1
    this.rows += rows
    this.carried += carried
    if (!batches.hasSubscribers) return
    const message: BatchMessage = {
      operation: this.operation,
      calls: carried,
      rows,
      durationMs,
      errorCode: codeOf(error),
    }
    batches.publish(message)
  }
}

/** For what is part of another call. */
class SilentMeter extends Meter {
  override end(): void {}

  override batch(): void {}
}

/** The meters of a stash, by verb. */
export class Meters {
  readonly #byOperation = new Map<string, Meter>()

  readonly silent: Meter = new SilentMeter('')

  of(operation: string): Meter {
    const known = this.#byOperation.get(operation)
    if (known !== undefined) return known
    const meter = new Meter(operation)
    this.#byOperation.set(operation, meter)
    return meter
  }

  all(): readonly Meter[] {
    return [...this.#byOperation.values()]
  }
}

function bucketOf(durationMs: number): number {
  if (durationMs <= 0.05) return 0
  return Math.min(latencyBoundsMs.length - 1, Math.ceil(Math.log(durationMs / 0.05) * perQuarter))
}

function codeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined
  return error instanceof PgStashError ? error.code : 'unknown'
}
