import type pg from 'pg'
import { Deadlines } from '../../../coalescing/deadlines'
import { CallTimeoutError, OpenTransactionError } from '../../../errors'
import type { Driver, PoolUse, Row, Transaction } from '../driver'
import { NotConnected } from '../not-connected'
import { asTenant } from '../set-tenant'
import type { Statement } from '../statement'
import { isLost, isLostStatement, isOfIsolation, isReadOnly, isReadTimeout } from '../transient-failure'
import { Leases } from './lease'
import { OwnPool } from './own-pool'
import { type PgClient, type PgPool, type PoolFacts, sizeOf, takesSubmittables } from './pool'
import { PgSession } from './session'
import { PgSubmittable } from './submittable'
import { type Car, sendTrain } from './train'

export type { PgClient, PgPool, PgQueryConfig } from './pool'

/** Options of a pool of our own; they go to `pg.Pool` unchanged. Spelt here, so that nobody needs `@types/pg` for ours. */
export interface PgPoolOptions {
  /** `postgres://user:password@host:5432/database`. Default: `DATABASE_URL`, then the `PG*` variables. */
  readonly connectionString?: string | undefined
  /** Name or address of the server, or the directory of its socket. Default: `PGHOST`, then localhost. */
  readonly host?: string | undefined
  /** The port it listens at. Default: `PGPORT`, then 5432. */
  readonly port?: number | undefined
  /** The role to connect as. Default: `PGUSER`, then the user of the process. */
  readonly user?: string | undefined
  /** The database. Default: `PGDATABASE`, then the name of the role. */
  readonly database?: string | undefined
  /** A function is asked at every new connection: for passwords that rotate. Default: `PGPASSWORD`, then `~/.pgpass`. */
  readonly password?: string | (() => string | Promise<string>) | undefined
  /** true, or the options of `tls.connect`; not beside a connection string with an `sslmode`, which `pg` would take in its place. Default: what the connection string or `PGSSLMODE` says, otherwise none. */
  readonly ssl?: boolean | object | undefined
  /** Connections at most. Default: 5. */
  readonly max?: number | undefined
  /** Milliseconds after which an idle connection is closed. Default: 10,000. */
  readonly idleTimeoutMillis?: number | null | undefined
  /** What `pg_stat_activity` shows. Default: `pgstash`. */
  readonly application_name?: string | undefined
}

/** A statement on its way, once more or for the first time. */
interface Sending {
  readonly statement: Statement
  readonly values: readonly unknown[]
  readonly tenant: string | undefined
  readonly isNamed: boolean
  readonly attempt: number
}

/** Of a call's time, what may go into waiting for a connection: that there was none is then told before the call's own limit says less. */
const waitingShare = 0.9

/**
 * How much longer than a call a statement may take. Its flight lands when it fails: if that came first, what waits for a flight would leave at the last moment, and its
 * callers be told that it may have been done, in the place of "not sent".
 */
const graceShare = 0.1
const longestGraceMs = 100

/** A pool that is none of `pg`'s need not hold the process while it makes a client. */
function waitingForTheirs(timeoutMs: number) {
  const lateness = () => new CallTimeoutError(timeoutMs, 'not-sent')
  return { waitMs: timeoutMs * waitingShare, keepsAlive: true, lateness }
}

/** Somewhat longer than a connection may take that is being made: of a server that does not answer, that one says more. In the words of `pg-pool`. */
function waitingForOurs(timeoutMs: number) {
  const lateness = () => new Error('timeout exceeded when trying to connect')
  return { waitMs: (timeoutMs * (1 + waitingShare)) / 2, keepsAlive: false, lateness }
}

/** The body over `pg`. */
export class PgDriver implements Driver {
  readonly #pool: PgPool
  /** undefined: the pool is somebody else's. */
  readonly #own: OwnPool | undefined
  readonly #takesSubmittables: boolean
  readonly #timeoutMs: number
  readonly #leases: Leases
  /** Of statements under way. `pg` has a limit too, which counts time in which the event loop stood still, and is lost with a fake timer. */
  readonly #limits: Deadlines
  /** The train that is being made. */
  #boarding: Car[] | undefined
  /** false for the life of the pool once a pooler has lost a named statement. */
  #isNaming = true
  /** true for the life of the pool once the database's default isolation has been seen to be another one. */
  #demandsReadCommitted = false

  private constructor(pool: PgPool, timeoutMs: number, own?: OwnPool) {
    this.#pool = pool
    this.#own = own
    this.#takesSubmittables = takesSubmittables(pool)
    this.#timeoutMs = timeoutMs
    this.#limits = new Deadlines(timeoutMs + Math.min(longestGraceMs, timeoutMs * graceShare))
    this.#leases = new Leases(pool, {
      ...(own === undefined ? waitingForTheirs(timeoutMs) : waitingForOurs(timeoutMs)),
      timeoutMs,
      onLook: () => own?.freeLost(),
    })
  }

  /** Over a pool that somebody else opened, and closes. */
  static over(pool: PgPool, timeoutMs: number): PgDriver {
    return new PgDriver(pool, timeoutMs)
  }

  /** Over a pool of its own. No connection is made before the first statement. */
  static open(options: PgPoolOptions, timeoutMs: number): PgDriver {
    // allowExitOnIdle: a script that forgets close() still ends. The connect limit bounds a server that never answers.
    const own = new OwnPool({ allowExitOnIdle: true, ...(options as pg.PoolConfig) }, timeoutMs * waitingShare)
    return new PgDriver(own.pool as PgPool, timeoutMs, own)
  }

  query(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    const sending = { statement, values, tenant, isNamed: this.#isNaming, attempt: 1 }
    return this.#send(sending).catch((error: unknown) => this.#sendAgain(sending, error))
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const session = await this.#outsideTransactions()
    let failure: Error | undefined
    try {
      return await within(session, work)
    } catch (error) {
      failure = await undo(session, error)
      throw error
    } finally {
      await session.release(failure)
    }
  }

  together(work: () => void): void {
    if (this.#boarding !== undefined || !this.#takesSubmittables) {
      work()
      return
    }
    const cars: Car[] = []
    this.#boarding = cars
    try {
      work()
    } finally {
      this.#boarding = undefined
      if (cars.length > 0) sendTrain(this.#leases, this.#limits, cars)
    }
  }

  demandReadCommitted(): void {
    this.#demandsReadCommitted = true
  }

  poolUse(): PoolUse | undefined {
    const { totalCount, idleCount, waitingCount } = this.#pool as PoolFacts
    if (totalCount === undefined || idleCount === undefined || waitingCount === undefined) return undefined
    return { total: totalCount, idle: idleCount, waiting: waitingCount }
  }

  async close(): Promise<void> {
    await this.#own?.end(this.#timeoutMs)
  }

  #connect(): Promise<PgSession> {
    return new Promise((resolve, reject) => {
      this.#leases.take<PgClient>((refusal, client) =>
        refusal === undefined ? resolve(new PgSession(client, this.#limits)) : reject(refusal),
      )
    })
  }

  /** Our `begin` would only warn in somebody's transaction, and our `commit` commit what is half done there. */
  async #outsideTransactions(attempt = 1): Promise<PgSession> {
    const session = await this.#connect()
    try {
      await session.assertOutsideTransactions()
      return session
    } catch (error) {
      if (!this.#mayTryAgain(error, attempt)) throw error
      return this.#outsideTransactions(attempt + 1)
    }
  }

  /** Each connection of the pool may have somebody's transaction open; those made in their place have none. */
  #mayTryAgain(error: unknown, attempt: number): boolean {
    return error instanceof OpenTransactionError && attempt <= sizeOf(this.#pool)
  }

  /** What certainly was not done. */
  #sendAgain(sending: Sending, error: unknown): Promise<readonly Row[]> {
    // PgBouncer before 1.21 in transaction mode: the statement was prepared on another server connection.
    const isNameLost = sending.isNamed && isLostStatement(error)
    if (isNameLost) this.#isNaming = false
    else if (this.#isForStrictness(error)) this.#demandsReadCommitted = true
    else if (!this.#mayTryAgain(error, sending.attempt)) throw error
    const again = { ...sending, isNamed: sending.isNamed && !isNameLost, attempt: sending.attempt + 1 }
    return this.#send(again).catch((later: unknown) => this.#sendAgain(again, later))
  }

  /** Read committed knows no such failure: the default is another one, perhaps since a moment ago. */
  #isForStrictness(error: unknown): boolean {
    return !this.#demandsReadCommitted && isOfIsolation(error)
  }

  #send(sending: Sending): Promise<readonly Row[]> {
    if (!this.#takesSubmittables) return this.#sendConfig(sending)
    const { statement, values, tenant, isNamed } = sending
    return new Promise((resolve, reject) => {
      const query = new PgSubmittable(statement, values, {
        isNamed,
        tenant,
        demandsReadCommitted: this.#demandsReadCommitted,
      })
      const car = { query, done: (error: unknown) => (error ? reject(error) : resolve(query.rows)) }
      if (this.#boarding === undefined) sendTrain(this.#leases, this.#limits, [car])
      else this.#boarding.push(car)
    })
  }

  /** As {@link sendTrain}, for clients that take configs only. */
  async #sendConfig({ statement, values, tenant, isNamed }: Sending): Promise<readonly Row[]> {
    if (tenant !== undefined) return this.transaction((transaction) => asTenant(transaction, tenant, statement, values))
    if (this.#demandsReadCommitted) return this.transaction((transaction) => transaction.query(statement, values))
    const session = await this.#connect()
    let failure: Error | undefined
    try {
      return await session.queryAlone(statement, values, isNamed)
    } catch (error) {
      failure = toError(error)
      throw error
    } finally {
      await session.release(failure)
    }
  }
}

async function within<T>(session: PgSession, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  await begin(session)
  const result = await work({
    query: (statement, values) => session.query(statement, values, false),
    script: (text) => session.script(text),
  })
  await session.script('commit')
  return result
}

/** A pooler that has no server connection says so only here. */
async function begin(session: PgSession): Promise<void> {
  try {
    await session.script('begin isolation level read committed')
  } catch (error) {
    throw isLost(error) || isReadTimeout(error) ? new NotConnected(error) : error
  }
}

/** Answers why the connection is to be given up; undefined: it is as it was. */
async function undo(session: PgSession, error: unknown): Promise<Error | undefined> {
  const told = error instanceof NotConnected ? error.cause : error
  // What did not answer would not answer to this either: the end of the connection is the end of the transaction.
  if (isReadTimeout(told) || isReadOnly(told)) return toError(told)
  return session.script('rollback').then(() => undefined, toError)
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
