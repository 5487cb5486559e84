import { channel } from 'node:diagnostics_channel'
import { PgStashError } from '../../errors'
import { longestTimerMs, now, startTimer } from '../../own-clock'
import type { Maintenance } from '../../postgres/upkeep/maintenance'
import { rest } from './rest'
import { removedBy, type SweepJob, type Swept, type Turned } from './sweeper'

/** Published after each turn by the clock; docs/guide/operations.md, "Events", documents it. */
const sweeps = channel('pgstash:sweep')

/** A message of the channel `pgstash:sweep`. */
export interface SweepMessage {
  /** undefined: the turn failed. */
  readonly swept: Swept | undefined
  /** How long the turn took, in milliseconds. */
  readonly durationMs: number
  /** The code of what it failed with; undefined: it did not. */
  readonly errorCode: string | undefined
}

export interface SweepClockOptions {
  readonly maintenance: Maintenance
  readonly intervalMs: number
  /** Whether callers wait: the sweep then waits as well, for a while. */
  readonly isBusy: () => boolean
  readonly sweep: (background: Pick<SweepJob, 'pause' | 'signal'>) => Promise<Turned>
}

/** Without a step for so long, the process that sweeps is taken for dead. */
const leaseMs = 60_000

/** A pause is so many times as long as the step before it: the sweep takes a fifth of one connection's time. */
const pauseFactor = 4

/** However long the step took: well within the lease. */
const longestPauseMs = 5_000

/** While callers wait the sweep does, in pauses of this length, but no longer than that. */
const busyPauseMs = 50
const longestBusyPauseMs = 1_000

/**
 * Sweeps from time to time. Of all processes one does, whoever takes the lease; the others look again after their interval. The timer is unref'ed, and
 * jittered, so that processes which start together do not ask together.
 */
export class SweepClock {
  readonly #options: SweepClockOptions
  readonly #holder = `${process.pid}-${Math.random().toString(36).slice(2)}`
  readonly #stop = new AbortController()
  /** Until the next turn: stops its timer. */
  #stopTimer: (() => void) | undefined
  #isStarted = false
  #dueAt = 0
  #turn: Promise<void> | undefined
  #leasedAt = 0

  constructor(options: SweepClockOptions) {
    this.#options = options
  }

  /** Begins, once. */
  start(): void {
    if (this.#isStarted || this.#stop.signal.aborted) return
    this.#isStarted = true
    this.#schedule()
  }

  /** Whoever waits looks: a timer that is late by a whole interval was lost, as fake timers lose theirs. */
  look(): void {
    if (this.#stopTimer !== undefined && now() - this.#dueAt > this.#options.intervalMs) this.#schedule()
  }

  /** Ends after the step under way. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#stopTimer?.()
    await this.#turn
  }

  #schedule(): void {
    const delayMs = Math.min(this.#options.intervalMs * (0.5 + Math.random()), longestTimerMs)
    this.#stopTimer?.()
    this.#dueAt = now() + delayMs
    this.#stopTimer = startTimer(() => {
      this.#stopTimer = undefined
      this.#turn = this.#run().finally(() => {
        if (!this.#stop.signal.aborted) this.#schedule()
      })
    }, delayMs)
  }

  async #run(): Promise<void> {
    const { maintenance, intervalMs, sweep } = this.#options
    const started = now()
    try {
      if (!(await maintenance.takeLease(this.#holder, leaseMs, Math.floor(intervalMs / 2)))) return
      this.#leasedAt = now()
      const { swept, failure } = await sweep({ signal: this.#stop.signal, pause: (stepMs) => this.#pause(stepMs) })
      if (this.#stop.signal.aborted) return
      await maintenance.finish(removedBy(swept), this.#holder)
      tell(started, swept, failure)
    } catch (error) {
      // The next turn tries again: a database that is away is no reason to disturb anybody.
      tell(started, undefined, error)
    }
  }

  async #pause(stepMs: number): Promise<void> {
    if (now() - this.#leasedAt > leaseMs / 3) await this.#renewLease()
    await this.#rest(Math.min(stepMs * pauseFactor, longestPauseMs))
    for (let rested = 0; this.#options.isBusy() && rested < longestBusyPauseMs; rested += busyPauseMs) {
      await this.#rest(busyPauseMs)
    }
  }

  /** Over at once when the clock is stopped: close() waits for it. */
  #rest(ms: number): Promise<void> {
    return rest(ms, this.#stop.signal, false)
  }

  async #renewLease(): Promise<void> {
    await this.#options.maintenance.takeLease(this.#holder, leaseMs, 0)
    this.#leasedAt = now()
  }
}

function tell(started: number, swept: Swept | undefined, error?: unknown): void {
  if (!sweeps.hasSubscribers) return
  const errorCode = error instanceof PgStashError ? error.code : undefined
  const message: SweepMessage = { swept, durationMs: now() - started, errorCode }
  sweeps.publish(message)
}
