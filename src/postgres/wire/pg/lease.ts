import { CallTimeoutError } from '../../../errors'
import { now, startTimer } from '../../../own-clock'
import { NotConnected } from '../not-connected'
import { type LeasedClient, type PgPool, type PoolFacts, type Release, takesSubmittables } from './pool'

/** Told once: with a client, or why there is none. */
export type Leased<Client> = (refusal: NotConnected | undefined, client: Client, release: Release) => void

interface CallbackPool {
  connect(callback: (error: unknown, client: unknown, release: Release) => void): void
}

export interface LeaseOptions {
  /** For a pool without a limit of its own, which could wait for ever. */
  readonly waitMs: number | undefined
  /** What a call may take. */
  readonly timeoutMs: number
}

/**
 * A client of the pool; all that fails here is a {@link NotConnected}. Where one is idle there is nothing to wait for, and no timer. A client that comes too late goes
 * back.
 */
export function lease<Client>(pool: PgPool, options: LeaseOptions, done: Leased<Client>): void {
  const { idleCount = 0, waitingCount = 0 } = pool as PoolFacts
  if (idleCount > waitingCount) {
    ask(pool, (refusal, client, release) =>
      done(refusal ? new NotConnected(refusal) : undefined, client as Client, release),
    )
    return
  }
  leaseInTime(pool, options, done)
}

function leaseInTime<Client>(pool: PgPool, { waitMs, timeoutMs }: LeaseOptions, done: Leased<Client>): void {
  const startedAt = now()
  let isLate = false
  const refuse = () => {
    isLate = true
    done(new NotConnected(new CallTimeoutError(timeoutMs, 'not-sent'), { wasSlow: true }), undefined as never, ignore)
  }
  const stopTimer = waitMs === undefined ? ignore : startTimer(refuse, waitMs, true)
  ask(pool, (refusal, client, release) => {
    stopTimer()
    const wasSlow = now() - startedAt > timeoutMs / 2
    if (!isLate) done(refusal ? new NotConnected(refusal, { wasSlow }) : undefined, client as Client, release)
    else if (!refusal) release()
  })
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
