import { Deadlines, type Waiting } from '../../../coalescing/deadlines'
import { areTicksFake, now, startTimer, tickEpoch } from '../../../own-clock'
import { NotConnected } from '../not-connected'
import { type LeasedClient, type PgPool, type Release, takesSubmittables } from './pool'

/** Told once: with a client, or why there is none. */
export type Leased<Client> = (refusal: NotConnected | undefined, client: Client, release: Release) => void

interface CallbackPool {
  connect(callback: (error: unknown, client: unknown, release: Release) => void): void
}

export interface LeaseOptions {
  /** What waiting for a client may take. */
  readonly waitMs: number
  /** What a call may take. */
  readonly timeoutMs: number
  /** Whether the process stays while somebody waits. */
  readonly keepsAlive: boolean
  /** What to say to who waited in vain. */
  readonly lateness: () => unknown
  /** Called from time to time while somebody waits. */
  readonly onLook: () => void
}

/** Who waits for a client of one pool. */
export class Leases {
  readonly #pool: PgPool
  readonly #options: LeaseOptions
  readonly #deadlines: Deadlines
  readonly #waiting = new Set<Lease>()

  constructor(pool: PgPool, options: LeaseOptions) {
    this.#pool = pool
    this.#options = options
    const look = () => {
      options.onLook()
      if (!areTicksFake()) for (const lease of this.#waiting) lease.askAgain()
    }
    this.#deadlines = new Deadlines(options.waitMs, look, options.keepsAlive)
  }

  /** A client of the pool; all that fails here is a {@link NotConnected}. A client that comes too late goes back. */
  take<Client>(done: Leased<Client>): void {
    const lease = new Lease(this.#pool, this.#options, (...told) => {
      this.#waiting.delete(lease)
      this.#deadlines.remove(lease)
      ;(done as Leased<unknown>)(...told)
    })
    this.#waiting.add(lease)
    this.#deadlines.add(lease, lease.madeAt)
    lease.ask()
  }
}

class Lease implements Waiting {
  older: Waiting | undefined
  newer: Waiting | undefined
  startedAt = 0
  readonly madeAt = now()
  readonly #pool: PgPool
  readonly #options: LeaseOptions
  readonly #done: Leased<unknown>
  #isOver = false
  #asked = 0
  #askedIn = tickEpoch()

  constructor(pool: PgPool, options: LeaseOptions, done: Leased<unknown>) {
    this.#pool = pool
    this.#options = options
    this.#done = done
  }

  ask(): void {
    this.#asked += 1
    this.#askedIn = tickEpoch()
    const asked = this.#asked
    ask(this.#pool, (refusal, client, release) => {
      if (refusal !== undefined) {
        if (asked === this.#asked) this.#refuse(refusal, now() - this.madeAt > this.#options.timeoutMs / 2)
      } else if (this.#isOver) release()
      else this.#end(undefined, client, release)
    })
  }

  /**
   * Where fake timers came or went since it was asked, pool and socket may wait for a tick that was lost. Whichever client comes first is taken, the other goes back;
   * a refusal counts where it is the answer to the last time.
   */
  askAgain(): void {
    if (!this.#isOver && this.#askedIn !== tickEpoch()) this.ask()
  }

  runOut(): void {
    this.#refuse(this.#options.lateness(), true)
  }

  #refuse(refusal: unknown, wasSlow: boolean): void {
    if (!this.#isOver) this.#end(new NotConnected(refusal, { wasSlow }), undefined, ignore)
  }

  #end(refusal: NotConnected | undefined, client: unknown, release: Release): void {
    this.#isOver = true
    this.#done(refusal, client, release)
  }
}

/** Also what `connect` throws: options are looked at where the pool makes its client. */
function ask(pool: PgPool, done: (refusal: unknown, client: unknown, release: Release) => void): void {
  try {
    if (takesSubmittables(pool)) (pool as unknown as CallbackPool).connect(done)
    else
      pool.connect().then(
        (client) => {
          if (isClient(client)) done(undefined, client, (error) => client.release(error))
          else done(new Error('connect() of the pool gave no client'), undefined, ignore)
        },
        (error: unknown) => done(error ?? new Error('no client'), undefined, ignore),
      )
  } catch (error) {
    done(error ?? new Error('no client'), undefined, ignore)
  }
}

/** What only looks like a pool may answer anything. */
function isClient(client: unknown): boolean {
  return typeof (client as Partial<LeasedClient> | undefined)?.on === 'function'
}

/** A server that is busy, or a network that lost the goodbye, is not waited for any longer. */
const goodbyeMs = 1_000

/**
 * Ends a connection that has somebody's transaction open, and resolves when it is closed: the server has rolled back by then, so that what is sent again finds no
 * lock that we took ourselves.
 */
export function giveUp(client: LeasedClient, release: Release, reason: Error): Promise<void> {
  return new Promise((resolve) => {
    const destroy = () => {
      client.connection?.stream?.destroy?.()
      resolve()
    }
    const stopTimer = startTimer(destroy, goodbyeMs, true)
    client.on('end', () => {
      stopTimer()
      resolve()
    })
    release(reason)
  })
}

function ignore(): void {}
