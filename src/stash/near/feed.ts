import { channel } from 'node:diagnostics_channel'
import { DatabaseError, NearCacheError, PgStashError, PrivilegeError } from '../../errors'
import { startTimer, wakingNow } from '../../own-clock'
import type { Bell } from '../../postgres/near/bell'
import type { InvalidationLog } from '../../postgres/near/log'
import type { Coherence } from './coherence'

/** Published when the feed loses or finds the log, or forgets all that was held; docs/guide/operations.md, "Events", documents it. */
const events = channel('pgstash:near')

/** A message of the channel `pgstash:near`. */
export interface NearMessage {
  /**
   * `lost`: the log cannot be read, and memory answers no more once the bound is over. `found`: it can again. `dropped`: rows of the log may have been missed, and all that was held is forgotten.
   * `silent`: the bell is not heard, and polls alone tell of changes. `heard`: it is.
   */
  readonly event: 'lost' | 'found' | 'dropped' | 'silent' | 'heard'
  /** Why all was forgotten: `incarnation`, a crash, a failover or a restore; `pruned`: nothing was read for too long. */
  readonly reason: string | undefined
  /** The code of an error of this package, `ERR_PGSTASH_…`, where there was one. */
  readonly errorCode: string | undefined
}

export interface FeedOptions {
  readonly log: InvalidationLog
  readonly bell: Bell | undefined
  readonly coherence: Coherence
  readonly pollMs: number
  /** For messages. */
  readonly schema: string
}

/** Without a read for so long, nothing is near: the log is not looked at. */
const idleMs = 10_000

/** A poll that fails is tried again after twice as long, up to this. */
const longestDelayMs = 5_000

/** Bells in a row: the log is read no more often than this. */
const shortestDelayMs = 4

/** feature_not_supported: "cannot access temporary or unlogged relations during recovery" */
const standbyState = '0A000'
/** read_only_sql_transaction. A standby does not come to that: it cannot be read first. */
const readOnlyState = '25006'
/** undefined_table, undefined_column, undefined_function */
const schemaStates: ReadonlySet<string | undefined> = new Set(['42P01', '42703', '42883'])

/** Reads the log, and hands what is new to the rules: by its clock while something near is read, when a bell rings, and when asked. One poll at a time. */
export class Feed {
  readonly #options: FeedOptions
  #isClosed = false
  #hasWorked = false
  #failures = 0
  #polling: Promise<void> | undefined
  /** Somebody wants what was committed after the poll under way began. */
  #wantsAnother = false
  #stopTimer: (() => void) | undefined
  #dueAt = 0
  #startedAt = Number.NEGATIVE_INFINITY
  #usesSeen = 0
  #usedAt = 0

  constructor(options: FeedOptions) {
    this.#options = options
  }

  /** Whether the log was ever read. */
  get hasWorked(): boolean {
    return this.#hasWorked
  }

  /**
   * Before something near is used for the first time: waits for the first look at the log.
   * @throws {NearCacheError} it cannot be read, and that is nobody's outage
   */
  async prove(): Promise<void> {
    if (this.#hasWorked) return
    try {
      await (this.#polling ?? this.#poll())
    } catch (error) {
      if (error instanceof NearCacheError) throw error
    }
  }

  /** Something near goes to the database. Goes on with polling, where that was given up, or its timer was lost with a fake one. */
  wake(): void {
    if (this.#isClosed || this.#polling !== undefined) return
    if (this.#stopTimer === undefined || wakingNow() - this.#dueAt > this.#options.pollMs) this.#pollAside()
  }

  /** What was committed before this call is known after it. @throws the errors of this package: the log cannot be read */
  async sync(): Promise<void> {
    // The poll under way may have left before.
    await this.#polling?.catch(() => {})
    await (this.#polling ?? this.#poll())
  }

  /** A bell. */
  ring(): void {
    if (this.#isClosed || this.#isIdle(wakingNow())) return
    if (this.#polling !== undefined) this.#wantsAnother = true
    else this.#schedule(Math.max(0, shortestDelayMs - (wakingNow() - this.#startedAt)))
  }

  tell(event: NearMessage['event'], reason?: string, error?: unknown): void {
    if (!events.hasSubscribers) return
    const message: NearMessage = { event, reason, errorCode: error instanceof PgStashError ? error.code : undefined }
    events.publish(message)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopTimer?.()
    this.#stopTimer = undefined
    await Promise.all([this.#options.bell?.stop(), this.#polling?.catch(() => {})])
  }

  #pollAside(): void {
    this.#poll().catch(() => {})
  }

  #poll(): Promise<void> {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#wantsAnother = false
    this.#polling = this.#read().finally(() => {
      this.#polling = undefined
      this.#goOn()
    })
    return this.#polling
  }

  async #read(): Promise<void> {
    const { log, coherence } = this.#options
    const sentAt = wakingNow()
    this.#startedAt = sentAt
    try {
      const page = await log.poll(coherence.position)
      coherence.apply(page, sentAt)
      if (page.lost !== undefined) this.tell('dropped', page.lost)
      this.#worked()
    } catch (error) {
      throw this.#failed(error)
    }
    log.keep().catch(() => {})
  }

  #worked(): void {
    if (this.#failures > 0) this.tell('found')
    this.#failures = 0
    if (this.#hasWorked) return
    this.#hasWorked = true
    this.#options.bell?.start()
  }

  #failed(error: unknown): unknown {
    const told = this.#hasWorked ? error : toNearCacheError(error, this.#options.schema)
    if (this.#failures === 0) this.tell('lost', undefined, told)
    this.#failures += 1
    return told
  }

  #goOn(): void {
    if (this.#isClosed) return
    const now = wakingNow()
    if (this.#wantsAnother) this.#schedule(shortestDelayMs)
    else if (!this.#isIdle(now)) this.#schedule(this.#delayMs(now))
  }

  /** From the beginning of one poll to that of the next; jittered, so that processes which start together do not ask together. */
  #delayMs(now: number): number {
    const { pollMs } = this.#options
    const jittered = pollMs * (1 + Math.random() / 10)
    if (this.#failures > 0) return Math.min(jittered * 2 ** Math.min(this.#failures, 10), longestDelayMs)
    return Math.max(jittered - (now - this.#startedAt), shortestDelayMs)
  }

  #schedule(delayMs: number): void {
    this.#stopTimer?.()
    this.#dueAt = wakingNow() + delayMs
    this.#stopTimer = startTimer(() => {
      this.#stopTimer = undefined
      this.#pollAside()
    }, delayMs)
  }

  /** Reads are counted anyhow: hits do not have to say when they were. */
  #isIdle(now: number): boolean {
    const { hits, misses } = this.#options.coherence.counts
    if (hits + misses !== this.#usesSeen) {
      this.#usesSeen = hits + misses
      this.#usedAt = now
    }
    return now - this.#usedAt > idleMs
  }
}

function toNearCacheError(error: unknown, schema: string): unknown {
  if (error instanceof PrivilegeError) return new NearCacheError('rights', schema, error)
  if (!(error instanceof DatabaseError)) return error
  if (error.sqlState === standbyState) return new NearCacheError('standby', schema, error)
  if (error.sqlState === readOnlyState) return new NearCacheError('read-only', schema, error)
  return schemaStates.has(error.sqlState) ? new NearCacheError('schema', schema, error) : error
}
