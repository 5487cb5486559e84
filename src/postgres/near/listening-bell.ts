import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import listenFile from '../../../sql/statements/near/listen.sql'
import ringFile from '../../../sql/statements/near/ring.sql'
import { startTimer } from '../../own-clock'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import type { Bell, BellEvents } from './bell'
import { Listener } from './listener'
import { Ringing, ringOf } from './ringing'

export interface ListeningOptions {
  readonly schema: string
  /** Of a connection on which LISTEN is heard: not through a pooler that shares its connections by transaction. */
  readonly connection: pg.ClientConfig
  /** How often it tests itself. Default: 20,000 ms. */
  readonly testEveryMs?: number
  /** How long its test may take until it takes itself for deaf. Default: 3,000 ms. */
  readonly testWithinMs?: number
  /** After how long it connects again, at first; twice as long each time, up to 32 times. Default: 1,000 ms. */
  readonly retryMs?: number
}

const usualTestEveryMs = 20_000
const usualTestWithinMs = 3_000
const usualRetryMs = 1_000
const mostDoublings = 5

/**
 * Listens on a connection of its own, and rings through the stash's: what is heard has gone the way of everybody's bells. A socket whose other end is gone
 * says nothing for hours, and LISTEN through a pooler may be answered and then hear nothing; so it rings for itself from time to time, and believes only what it hears.
 */
export class ListeningBell implements Bell {
  readonly #runner: StatementRunner
  readonly #options: ListeningOptions
  readonly #events: BellEvents
  readonly #listen: Statement
  readonly #send: Statement
  readonly #ownRing = ringOf(randomUUID())
  readonly #ringing: Ringing
  #listener: Listener | undefined
  #isStarted = false
  #hearing: boolean | undefined
  #failures = 0
  #stopTimer: (() => void) | undefined

  constructor(runner: StatementRunner, options: ListeningOptions, events: BellEvents) {
    this.#runner = runner
    this.#options = options
    this.#events = events
    this.#listen = statementOf(listenFile, options.schema)
    this.#send = statementOf(ringFile, options.schema)
    this.#ringing = new Ringing(() => this.#notify(this.#ownRing))
  }

  get isHearing(): boolean {
    return this.#hearing === true
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#connect()
  }

  ring(): void {
    if (this.#isStarted) this.#ringing.ring()
  }

  async stop(): Promise<void> {
    this.#isStarted = false
    this.#hearing = undefined
    this.#ringing.stop()
    this.#stopTimer?.()
    const listener = this.#listener
    this.#listener = undefined
    await listener?.end()
  }

  #connect(): void {
    const { connection, testEveryMs = usualTestEveryMs, testWithinMs = usualTestWithinMs } = this.#options
    const listener = new Listener(connection, this.#listen.text, {
      testEveryMs,
      testWithinMs,
      sendTest: (word) => this.#notify(word),
      ownRing: this.#ownRing,
      onRing: () => this.#events.onRing(),
      onHeard: () => this.#heard(listener),
      onLost: (reason) => this.#lost(listener, reason),
    })
    this.#listener = listener
    void listener.begin()
  }

  #heard(listener: Listener): void {
    if (this.#listener !== listener) return
    this.#failures = 0
    this.#tell(true)
    // What was rung before it heard is not lost for long either.
    this.#events.onRing()
  }

  #lost(listener: Listener, reason: unknown): void {
    if (this.#listener !== listener) return
    this.#listener = undefined
    void listener.end()
    this.#tell(false, reason)
    const { retryMs = usualRetryMs } = this.#options
    const waitMs = retryMs * 2 ** Math.min(this.#failures, mostDoublings) * (0.5 + Math.random())
    this.#failures += 1
    this.#stopTimer = startTimer(() => this.#connect(), waitMs)
  }

  #tell(isHearing: boolean, reason?: unknown): void {
    if (this.#hearing === isHearing) return
    this.#hearing = isHearing
    this.#events.onHearing(isHearing, reason)
  }

  #notify(word: string): Promise<unknown> {
    return this.#runner.write(this.#send, [this.#options.schema, word])
  }
}
