import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { startTimer } from '../../own-clock'
import { isRing } from './ringing'

/** It listens, and does not hear its own test: a pooler that shares connections by transaction is between, or the connection is dead and nobody says so. */
class DeafBellError extends Error {
  override readonly name = 'DeafBellError'
}

interface Socket {
  unref(): void
  destroy(): void
}

/** How it tests itself, and what it tells. */
export interface ListenerEvents {
  readonly testEveryMs: number
  readonly testWithinMs: number
  sendTest(word: string): Promise<unknown>
  /** What it rings itself: nobody needs to be told of that. */
  readonly ownRing: string
  onRing(): void
  /** The first test was heard. */
  onHeard(): void
  /** Once: it hears no more. */
  onLost(reason: unknown): void
}

/** One connection that listens, for as long as it hears itself. */
export class Listener {
  readonly #client: pg.Client
  readonly #listen: string
  readonly #events: ListenerEvents
  #word: string | undefined
  #hasHeard = false
  #isOver = false
  #stopTimer: (() => void) | undefined

  constructor(connection: pg.ClientConfig, listen: string, events: ListenerEvents) {
    this.#listen = listen
    this.#events = events
    this.#client = new pg.Client({ connectionTimeoutMillis: 10_000, keepAlive: true, ...connection })
    this.#client.on('error', (error) => this.#lose(error))
    this.#client.on('end', () => this.#lose(new Error('the connection has ended')))
    this.#client.on('notification', ({ payload = '' }) => this.#hear(payload))
  }

  async begin(): Promise<void> {
    try {
      await this.#client.connect()
      // A process that has nothing else to do may end.
      this.#stream.unref()
      await this.#client.query(this.#listen)
      this.#test()
    } catch (error) {
      this.#lose(error)
    }
  }

  /** Does not wait for an answer: there may be nobody at the other end. */
  async end(): Promise<void> {
    this.#isOver = true
    this.#stopTimer?.()
    this.#stream.destroy()
  }

  /** `pg` does not document it. */
  get #stream(): Socket {
    return (this.#client as unknown as { connection: { stream: Socket } }).connection.stream
  }

  #test(): void {
    if (this.#isOver) return
    const word = randomUUID()
    this.#word = word
    const { testWithinMs, sendTest } = this.#events
    const deaf = () => this.#lose(new DeafBellError('It does not hear its own bell.'))
    // Where it cannot be rung nothing is said of hearing: the database is away, or slow.
    sendTest(word).then(
      () => {
        if (this.#word === word && !this.#isOver) this.#stopTimer = startTimer(deaf, testWithinMs)
      },
      (error: unknown) => {
        if (this.#word === word) this.#lose(error)
      },
    )
  }

  #hear(payload: string): void {
    if (this.#isOver) return
    if (isRing(payload)) {
      if (payload !== this.#events.ownRing) this.#events.onRing()
      return
    }
    if (payload !== this.#word) return
    this.#word = undefined
    this.#stopTimer?.()
    this.#stopTimer = startTimer(() => this.#test(), this.#events.testEveryMs)
    if (!this.#hasHeard) {
      this.#hasHeard = true
      this.#events.onHeard()
    }
  }

  #lose(reason: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopTimer?.()
    this.#events.onLost(reason)
  }
}
