import type { Maintenance, SweptTable, TenantCount } from '../postgres/maintenance'
import { type QuotaSource, quotaOf } from './quota'

/** What a sweep removed. */
export interface Swept {
  /** Entries, sessions and rate limits. */
  readonly expired: number
  readonly cleared: number
  /** Over a tenant's quota. */
  readonly evicted: number
}

/** How far a sweep has come. */
export interface SweepProgress extends Swept {
  /** Of the blocks of all tables, 0 to 1. */
  readonly share: number
}

export interface SweepOptions {
  /** Told after each small step. */
  readonly onProgress?: ((progress: SweepProgress) => void) | undefined
  /** Ends the sweep after the step under way; what was removed stays removed. */
  readonly signal?: AbortSignal | undefined
}

export function removedBy({ expired, cleared, evicted }: Swept): number {
  return expired + cleared + evicted
}

/** A table that knows by itself what of it is expired. */
export interface Sweepable {
  sweep(): Promise<number>
}

/** What a sweep works on, and with. */
export interface SweepJob extends SweepOptions {
  readonly maintenance: Maintenance
  /** Tables that are not of the schema. */
  readonly others: readonly Sweepable[]
  readonly quota: QuotaSource | undefined
  /** Waits between two steps, for who sweeps in the background; told how long the last one took. */
  readonly pause?: ((stepMs: number) => Promise<void>) | undefined
}

const tables: readonly SweptTable[] = ['entry', 'session', 'counter']

/** 1 MiB to begin with: some thousand rows, a few milliseconds, so that nobody waits long for a row lock. */
const firstStep = 128

/** A step shall take about so long, whatever the machine; at most twice as long as the one before. */
const stepMs = 25
const largestStep = 1_024

/** As many as a step of blocks removes, about. */
const evictedPerStep = 5_000

/**
 * One turn over all tables: removes what is expired or cleared, in small steps; then what is over quota. Processes that sweep at once share the turn:
 * each step is claimed by one of them (ARCHITECTURE.md, "The sweep").
 */
export async function sweep(job: SweepJob): Promise<Swept> {
  const turn = new Turn(job)
  for (const table of tables) await turn.over(table)
  if (job.quota !== undefined && !job.signal?.aborted) turn.evicted = await evict(job.maintenance, job.quota)
  // Last: a table of somebody else's may be gone, or be closed to us.
  for (const other of job.others) turn.expired += job.signal?.aborted ? 0 : await other.sweep()
  return turn.swept
}

class Turn {
  expired = 0
  cleared = 0
  evicted = 0
  readonly #job: SweepJob
  #tablesDone = 0
  #step = firstStep

  constructor(job: SweepJob) {
    this.#job = job
  }

  get swept(): Swept {
    return { expired: this.expired, cleared: this.cleared, evicted: this.evicted }
  }

  /** Until all blocks have been walked that the table had at the beginning, by this process or by others. */
  async over(table: SweptTable): Promise<void> {
    const { maintenance, signal, pause } = this.#job
    let end: number | undefined
    while (!signal?.aborted) {
      const { from, to, position, blocks } = await maintenance.claim(table, this.#step)
      end ??= position + blocks
      const started = performance.now()
      const { expired, cleared } = await maintenance.sweep(table, from, to)
      this.expired += expired
      this.cleared += cleared
      this.#tell(1 - Math.max(0, end - position - (to - from)) / blocks)
      if (position + (to - from) >= end) break
      this.#adapt(performance.now() - started)
      await pause?.(performance.now() - started)
    }
    this.#tablesDone += 1
  }

  /** Smaller steps on a slow machine, or a busy one. */
  #adapt(tookMs: number): void {
    const fitting = Math.round((this.#step * stepMs) / Math.max(tookMs, 0.1))
    this.#step = Math.max(1, Math.min(fitting, this.#step * 2, largestStep))
  }

  #tell(shareOfTable: number): void {
    const share = Math.min(1, (this.#tablesDone + shareOfTable) / tables.length)
    this.#job.onProgress?.({ ...this.swept, share })
  }
}

/** One tenant's failure keeps no other from its quota; the first is thrown at the end. */
async function evict(maintenance: Maintenance, quota: QuotaSource): Promise<number> {
  let evicted = 0
  const failures: unknown[] = []
  for (const held of await maintenance.countTenants()) {
    try {
      evicted += await evictFrom(maintenance, quota, held)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return evicted
}

async function evictFrom(maintenance: Maintenance, quota: QuotaSource, held: TenantCount): Promise<number> {
  const { maxEntries, maxBytes } = quotaOf(quota, held.tenant)
  const isWithin = held.entries <= (maxEntries ?? Infinity) && held.bytes <= (maxBytes ?? Infinity)
  const cut = isWithin ? undefined : await maintenance.quotaCut(held.tenant, maxEntries, maxBytes)
  return cut === undefined ? 0 : maintenance.evict(held.tenant, cut, evictedPerStep)
}
