import type { Deadlines } from '../../../coalescing/deadlines'
import { OpenTransactionError } from '../../../errors'
import { now, startTimer } from '../../../own-clock'
import { NotConnected } from '../not-connected'
import { sqlStateOf } from '../transient-failure'
import { giveUp, type Leases } from './lease'
import type { LeasedClient } from './pool'
import type { PgSubmittable } from './submittable'
import { isOpen, statusOf, type TransactionStatus } from './transaction-status'

/** A client of `pg`'s own, which takes submittables. */
type SubmittableClient = LeasedClient & {
  /** The callback is the second argument: as the third, `pg` before 8.19 does not see it. */
  query(query: PgSubmittable, callback: (error: unknown) => void): void
  once(event: 'error', listener: (error: unknown) => void): unknown
  removeListener(event: 'error', listener: (error: unknown) => void): unknown
}

/**
 * What `pool.query` does for a config: an error, told by the query or by its connection, ends the connection. So does a transaction that is open on it, before or
 * after: somebody has not ended it, and what is done in it is not committed.
 */
export function submit(leases: Leases, limits: Deadlines, query: PgSubmittable, done: (error: unknown) => void): void {
  leases.take<SubmittableClient>((refusal, client, release) => {
    if (refusal !== undefined) {
      done(refusal)
      return
    }
    const giveUpOf = (reason: OpenTransactionError) => void giveUp(client, release, reason).then(() => done(reason))
    const before = statusOf(client)
    if (isOpen(before)) {
      giveUpOf(new OpenTransactionError())
      return
    }
    let isOver = false
    const finish = (error: unknown) => {
      release(error as Error | undefined)
      done(error && !query.hasLeft ? new NotConnected(error) : error)
    }
    const end = (error: unknown) => {
      if (isOver) return
      isOver = true
      limits.remove(query)
      client.removeListener('error', end)
      if (error instanceof OpenTransactionError) giveUpOf(error)
      else if (before === undefined && sqlStateOf(error) !== undefined)
        statusAfter(client).then((status) =>
          isOpen(status) ? giveUpOf(new OpenTransactionError(error)) : finish(error),
        )
      else finish(error)
    }
    client.once('error', end)
    limits.add(query, now())
    try {
      client.query(query, end)
    } catch (error) {
      end(error)
    }
  })
}

/** The server says how it stands right behind its error. */
const soonMs = 1_000

/** In somebody's transaction what failed may have failed on its account: it may only read, or see nothing that is new. */
function statusAfter(client: SubmittableClient): Promise<TransactionStatus | undefined> {
  return new Promise((resolve) => {
    const tell = () => {
      stopTimer()
      client.removeListener('error', tell)
      resolve(statusOf(client))
    }
    const stopTimer = startTimer(tell, soonMs, true)
    client.once('error', tell)
    client.connection?.once?.('readyForQuery', tell)
  })
}
