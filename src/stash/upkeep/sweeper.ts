import { assertKnown } from '../../entry/known-options'
import { InvalidArgumentError } from '../../errors'
import { now } from '../../own-clock'
import type { ForeignTable } from '../../postgres/tables'
import type { Maintenance, SweptTable, TenantCount } from '../../postgres/upkeep/maintenance'
import { type QuotaSource, quotaOf } from './quota'
import { rest } from './rest'

/** What a sweep removed. */
export interface Swept {
  /** Entries, sessions and rate limits. */
  readonly expired: number
  /** Of the expired. */
  readonly sessions: number
  /** Of the expired. */
  readonly rateLimits: number
  /** Entries of an earlier generation. */
  readonly cleared: number
  /** Over a tenant's quota. */
  readonly evicted: number
}

/** What a turn came to. */
export interface Turned {
  readonly swept: Swept
  /** The first of those of one tenant or of a foreign table, which kept nothing else from its turn. */
  readonly failure: unknown
}

/** How far a sweep has come. */
export interface SweepProgress extends Swept {
  /** Of the blocks of all tables, 0 to 1. */
  readonly share: number
  /** Milliseconds the step took: claiming blocks, and sweeping them. */
  readonly stepMs: number
}

/** Of `sweep()`. */
export interface SweepOptions {
  /** Told after each small step. Default: none. */
  readonly onProgress?: ((progress: SweepProgress) => void) | undefined
  /** Ends the sweep after the step under way; it then answers what it has removed so far. Default: none, it goes to the end. */
  readonly signal?: AbortSignal | undefined
}

export function removedBy({ expired, cleared, evicted }: Swept): number {
  return expired + cleared + evicted
}

/** What a sweep works on, and with. */
export interface SweepJob extends SweepOptions {
  readonly maintenance: Maintenance
  /** Tables that are not of the schema. */
  readonly foreign: readonly ForeignTable[]
  readonly quota: QuotaSource | undefined
  /** Waits between two steps; told how long the last one took. Default: as long again, so that the sweep takes half of one connection's time. */
  readonly pause?: ((stepMs: number) => Promise<void>) | undefined
}

const tables: readonly SweptTable[] = ['entry', 'session', 'counter', 'lock', 'tag', 'lease']

/** How the answer calls what was expired in a table; entries are only in the sum. Rows of locks and leases that are long over, and of tags that nothing needs, are nobody's data, and are in no sum. */
const kinds = { entry: undefined, session: 'sessions', counter: 'rateLimits' } as const

/** Blocks of a step, 512 KiB to begin with: some thousand rows, a few milliseconds, so that nobody waits long for a row lock. */
const smallestStep = 64

/** A step shall take about so long, whatever the machine: it grows from step to step, twofold at most, to 2 MiB at most, and shrinks at once. */
const fittingMs = 25
const largestStep = 256

/** However long the step took: that may have been waiting, for a lock or for the disk. */
const longestRestMs = 1_000

/** As many as a step of blocks removes, about. */
const evictedPerStep = 5_000
const loggedPerStep = 20_000

/**
 * One turn over all tables: removes what is expired or cleared, in small steps; then what is over quota. Processes that sweep at once share the turn:
 * each step is claimed by one of them (docs/guide/reasons.md, "The sweep").
 */
export async function sweep(job: SweepJob): Promise<Turned> {
  const turn = new Turn(job)
  for (const table of tables) await turn.over(table)
  if (job.quota !== undefined) await turn.evict(job.quota)
  await turn.keepLog()
  // Last: a table of somebody else's may be gone, or be closed to us.
  for (const table of job.foreign) await turn.overForeign(table).catch((error: unknown) => turn.failures.push(error))
  return { swept: turn.swept, failure: turn.failures[0] }
}

/** @throws {InvalidArgumentError} */
export function assertSweepOptions(options: unknown): void {
  assertKnown('options', options, optionNames)
  const { onProgress, signal } = options as SweepOptions
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new InvalidArgumentError('onProgress', 'must be a function', 'It is told after each step.')
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError('signal', 'must be an AbortSignal', 'Pass the signal of the controller.')
  }
}

const optionNames: ReadonlySet<string> = new Set(['onProgress', 'signal'])

class Turn {
  readonly failures: unknown[] = []
  readonly #removed = { expired: 0, sessions: 0, rateLimits: 0, cleared: 0, evicted: 0 }
  readonly #job: SweepJob
  #tablesDone = 0
  #blocks = smallestStep

  constructor(job: SweepJob) {
    this.#job = job
  }

  get swept(): Swept {
    return { ...this.#removed }
  }

  /** Until all blocks have been walked that the table had at the beginning, by this process or by others. */
  async over(table: SweptTable): Promise<void> {
    const { maintenance, signal } = this.#job
    let end: number | undefined
    while (!signal?.aborted) {
      const started = now()
      const { from, to, position, blocks } = await maintenance.claim(table, this.#blocks)
      end ??= position + blocks
      const { expired, cleared } = await maintenance.sweep(table, from, to)
      if (table in kinds) this.#countExpired(expired, kinds[table as keyof typeof kinds])
      this.#removed.cleared += cleared
      const tookMs = now() - started
      this.#tell(1 - Math.max(0, end - position - (to - from)) / blocks, tookMs)
      if (position + (to - from) >= end) break
      this.#adapt(tookMs)
      await this.#goesOn(started)
    }
    this.#tablesDone += 1
  }

  async evict(quota: QuotaSource): Promise<void> {
    if (this.#job.signal?.aborted) return
    for (const held of await this.#job.maintenance.countTenants()) {
      if (this.#job.signal?.aborted) break
      await this.#evictFrom(held, quota).catch((error: unknown) => this.failures.push(error))
    }
  }

  /** Who reads the log keeps it up more often. */
  async keepLog(): Promise<void> {
    const goesOn = this.#steps()
    if (this.#job.signal?.aborted) return
    while ((await this.#job.maintenance.keepLog(loggedPerStep)) && (await goesOn())) {
      // The next step.
    }
  }

  async overForeign(table: ForeignTable): Promise<void> {
    if (this.#job.signal?.aborted) return
    this.#countExpired(await table.sweep(this.#steps()), 'sessions')
  }

  async #evictFrom(held: TenantCount, quota: QuotaSource): Promise<void> {
    const { maintenance } = this.#job
    const { maxEntries, maxBytes } = quotaOf(quota, held.tenant)
    const isWithin = held.entries <= (maxEntries ?? Infinity) && held.bytes <= (maxBytes ?? Infinity)
    const cut = isWithin ? undefined : await maintenance.quotaCut(held.tenant, maxEntries, maxBytes)
    if (cut === undefined) return
    this.#removed.evicted += await maintenance.evict(held.tenant, cut, evictedPerStep, this.#steps())
  }

  #countExpired(rows: number, kind: 'sessions' | 'rateLimits' | undefined): void {
    this.#removed.expired += rows
    if (kind !== undefined) this.#removed[kind] += rows
  }

  /** For who makes steps by himself: asked after each but the last. */
  #steps(): () => Promise<boolean> {
    let started = now()
    return async () => {
      const isOn = await this.#goesOn(started)
      started = now()
      return isOn
    }
  }

  /** After a step: rests; false when the sweep is to end. */
  async #goesOn(started: number): Promise<boolean> {
    const { signal, pause = (stepMs) => rest(Math.min(stepMs, longestRestMs), signal) } = this.#job
    await pause(now() - started)
    return !this.#job.signal?.aborted
  }

  /** Smaller steps on a slow machine, or a busy one. */
  #adapt(tookMs: number): void {
    const fitting = Math.round((this.#blocks * fittingMs) / Math.max(tookMs, 0.1))
    // Not below the smallest: on a busy machine a statement takes that long however little it does, and a block at a time would take for ever.
    this.#blocks = Math.max(smallestStep, Math.min(fitting, this.#blocks * 2, largestStep))
  }

  #tell(shareOfTable: number, stepMs: number): void {
    const share = Math.min(1, (this.#tablesDone + shareOfTable) / tables.length)
    this.#job.onProgress?.({ ...this.swept, share, stepMs })
  }
}
