import type { Deadlines } from '../../../coalescing/deadlines'
import { OpenTransactionError } from '../../../errors'
import { now, startTimer } from '../../../own-clock'
import { NotConnected } from '../not-connected'
import { isFatal, isLost, isLostStatement, sqlStateOf } from '../transient-failure'
import { giveUp, type Leases } from './lease'
import type { LeasedClient, Release } from './pool'
import { couple, type PgSubmittable } from './submittable'
import { isOpen, statusOf, type TransactionStatus } from './transaction-status'

/** A client of `pg`'s own, which takes submittables. */
type SubmittableClient = LeasedClient & {
  /** The callback is the second argument: as the third, `pg` before 8.19 does not see it. */
  query(query: PgSubmittable, callback: (error: unknown) => void): void
  once(event: 'error', listener: (error: unknown) => void): unknown
  removeListener(event: 'error', listener: (error: unknown) => void): unknown
}

/** A statement of a train. */
export interface Car {
  readonly query: PgSubmittable
  /** Told once. */
  done(error: unknown): void
}

/**
 * Statements that leave together, on one client and in one packet, each with a Sync of its own: its own transaction, its own error. The server wakes up once for all of
 * them, and one client is leased. What that saves depends on what falls into one tick: nothing that could be measured where each request of an app asks one thing at a time.
 *
 * What `pool.query` does for a config: an error, told by a query or by the connection, ends the connection, once the train is through. So does a transaction that is open on it, before or
 * after: somebody has not ended it, and what is done in it is not committed.
 */
export function sendTrain(leases: Leases, limits: Deadlines, cars: readonly Car[]): void {
  leases.take<SubmittableClient>((refusal, client, release) => {
    if (refusal === undefined) new Train(leases, limits, client, release, cars).leave()
    else for (const car of cars) car.done(refusal)
  })
}

class Train {
  readonly #leases: Leases
  readonly #limits: Deadlines
  readonly #client: SubmittableClient
  readonly #release: Release
  #cars: readonly Car[]
  /** The car whose answer comes next. */
  #at = 0
  #before: TransactionStatus | undefined
  /** What the car failed of is told once it is known how the connection stands. */
  #isLooking = false
  /** The connection is given up for it. */
  #failure: unknown
  /** What the statement failed of that prepared the name: whoever comes behind finds no such name. */
  readonly #failedNames = new Map<string, unknown>()

  constructor(leases: Leases, limits: Deadlines, client: SubmittableClient, release: Release, cars: readonly Car[]) {
    this.#leases = leases
    this.#limits = limits
    this.#client = client
    this.#release = release
    this.#cars = cars
  }

  leave(): void {
    this.#before = statusOf(this.#client)
    if (isOpen(this.#before)) {
      this.#giveUp(new OpenTransactionError())
      return
    }
    if (this.#before === undefined) this.#uncouple()
    this.#client.once('error', this.#end)
    for (const { query } of this.#cars) this.#limits.add(query, now())
    couple(this.#cars.map(({ query }) => query))
    this.#next()
  }

  /** A client that does not tell how it stands may have statements of somebody's on their way: one at a time goes to such. */
  #uncouple(): void {
    const [first, ...others] = this.#cars as [Car, ...Car[]]
    this.#cars = [first]
    for (const car of others) sendTrain(this.#leases, this.#limits, [car])
  }

  /** `pg` gives the answers to one query at a time: the next is handed over when the one before has been answered. It has been written by then. */
  #next(): void {
    try {
      this.#client.query((this.#cars[this.#at] as Car).query, this.#end)
    } catch (error) {
      this.#end(error)
    }
  }

  readonly #end = (error: unknown): void => {
    const car = this.#cars[this.#at]
    if (car === undefined || this.#isLooking) return
    this.#limits.remove(car.query)
    if (error instanceof OpenTransactionError) this.#giveUp(error)
    else if (error && this.#before === undefined && sqlStateOf(error) !== undefined) this.#lookAfter(car, error)
    else this.#finish(car, error)
  }

  #finish(car: Car, error: unknown): void {
    this.#at += 1
    this.#failure ??= error || undefined
    const isThrough = this.#at === this.#cars.length || (error && !isOfStatement(error))
    if (isThrough) this.#releaseClient()
    const told = this.#toldOf(car, error)
    if (!isThrough) this.#next()
    car.done(told)
    if (isThrough) this.#failRest(error)
  }

  /** Its callback comes with `handleError`, before the server is ready: in somebody's transaction it may have failed on account of that. */
  #lookAfter(car: Car, error: unknown): void {
    this.#isLooking = true
    statusAfter(this.#client).then((status) => {
      this.#isLooking = false
      if (isOpen(status)) this.#giveUp(new OpenTransactionError(error))
      else this.#finish(car, error)
    })
  }

  #toldOf({ query }: Car, error: unknown): unknown {
    if (!error) return error
    if (!query.hasLeft) return new NotConnected(error)
    const earlier = this.#failedNames.get(query.name)
    if (earlier !== undefined && isLostStatement(error)) return earlier
    if (query.name !== '') this.#failedNames.set(query.name, error)
    return error
  }

  /** The connection is over, or does not answer. What is behind has been written, and may have been done. */
  #failRest(error: unknown): void {
    while (this.#at < this.#cars.length) {
      const car = this.#cars[this.#at] as Car
      this.#at += 1
      this.#limits.remove(car.query)
      car.done(car.query.hasLeft ? error : new NotConnected(error))
    }
  }

  #giveUp(reason: OpenTransactionError): void {
    const rest = this.#cars.slice(this.#at)
    for (const { query } of rest.slice(1)) if (query.hasLeft) this.#limits.remove(query)
    this.#at = this.#cars.length
    this.#client.removeListener('error', this.#end)
    void giveUp(this.#client, this.#release, reason).then(() => {
      for (const car of rest) car.done(reason)
    })
  }

  #releaseClient(): void {
    this.#client.removeListener('error', this.#end)
    this.#release(this.#failure as Error | undefined)
  }
}

/** The server has refused a statement, and goes on with the next. Of what ends the connection, some is told as a limit (25P04), and what is behind was not looked at. */
function isOfStatement(error: unknown): boolean {
  return sqlStateOf(error) !== undefined && !isLost(error) && !isFatal(error)
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
