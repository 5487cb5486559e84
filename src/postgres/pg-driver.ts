import pg from 'pg'
import type { Driver, Row, Transaction } from './driver'
import type { Statement } from './statement'
import { isLostStatement, isReadTimeout } from './transient-failure'

/** What this package uses of a `pg.Pool`; any version of `pg` 8 fits. */
export interface PgPool {
  query(config: PgQuery): Promise<{ rows: unknown[] }>
  connect(): Promise<PgClient>
}

/** What this package uses of a `pg.PoolClient`. */
export interface PgClient {
  query(config: PgQuery): Promise<{ rows: unknown[] } | { rows: unknown[] }[]>
  release(error?: Error | boolean): void
  on(event: 'error', listener: () => void): unknown
  removeListener(event: 'error', listener: () => void): unknown
}

/** What this package passes to `query`. */
export interface PgQuery {
  name?: string
  text: string
  values?: unknown[]
  rowMode?: 'array'
  types?: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
  query_timeout?: number
}

/** Options of a pool of our own; they go to `pg.Pool` unchanged. Spelt here, so that nobody needs `@types/pg` for ours. */
export interface PgPoolOptions {
  /** `postgres://user:password@host:5432/database`. Default: `DATABASE_URL`, then the `PG*` variables. */
  readonly connectionString?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly user?: string | undefined
  readonly database?: string | undefined
  /** A function is asked at every new connection: for passwords that rotate. */
  readonly password?: string | (() => string | Promise<string>) | undefined
  /** true, or the options of `tls.connect`. */
  readonly ssl?: boolean | object | undefined
  /** Connections at most. Default: 5. */
  readonly max?: number | undefined
  /** Milliseconds after which an idle connection is closed. Default: 10,000. */
  readonly idleTimeoutMillis?: number | undefined
  /** What `pg_stat_activity` shows. Default: `pgstash`. */
  readonly application_name?: string | undefined
}

const int8 = 20
const int4 = 23
const bool = 16

/** Ours, per query: an application's `pg.types.setTypeParser` changes nothing here, nor we there. */
const types = {
  getTypeParser(oid: number): (text: string) => unknown {
    if (oid === int8 || oid === int4) return Number
    if (oid === bool) return (text) => text === 't'
    return (text) => text
  },
}

/** The body over `pg`. */
export class PgDriver implements Driver {
  readonly #pool: PgPool
  readonly #end: (() => Promise<void>) | undefined
  readonly #timeoutMs: number
  /** false for the life of the pool once a pooler has lost a named statement. */
  #isNaming = true

  private constructor(pool: PgPool, timeoutMs: number, end?: () => Promise<void>) {
    this.#pool = pool
    this.#timeoutMs = timeoutMs
    this.#end = end
  }

  /** Over a pool that somebody else opened, and closes. */
  static over(pool: PgPool, timeoutMs: number): PgDriver {
    return new PgDriver(pool, timeoutMs)
  }

  /** Over a pool of its own. No connection is made before the first statement. */
  static open(options: PgPoolOptions, timeoutMs: number): PgDriver {
    // allowExitOnIdle: a script that forgets close() still ends. The connect limit bounds a server that never answers.
    const pool = new pg.Pool({
      connectionTimeoutMillis: timeoutMs,
      allowExitOnIdle: true,
      ...(options as pg.PoolConfig),
    })
    // Without a listener the loss of an idle connection would end the process. The pool replaces it by itself.
    pool.on('error', ignore)
    return new PgDriver(pool as PgPool, timeoutMs, () => pool.end())
  }

  async query(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    const wasNamed = this.#isNaming
    try {
      return await this.#send(this.#pool, statement, values)
    } catch (error) {
      if (!wasNamed || !isLostStatement(error)) throw error
      // PgBouncer before 1.21 in transaction mode: the statement was prepared on another server connection. It did not
      // run, so it may run again.
      this.#isNaming = false
      return this.#send(this.#pool, statement, values)
    }
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    // A connection lost while it is ours is told twice: by the query, and by this event, which nobody else listens to.
    client.on('error', ignore)
    let failure: Error | undefined
    try {
      return await this.#within(client, work)
    } catch (error) {
      failure = toError(error)
      // What did not answer would not answer to this either: release() below ends the connection, and with it the transaction.
      if (!isReadTimeout(error)) failure = await this.#script(client, 'rollback').then(() => undefined, toError)
      throw error
    } finally {
      client.removeListener('error', ignore)
      client.release(failure)
    }
  }

  async close(): Promise<void> {
    await this.#end?.()
  }

  async #within<T>(client: PgClient, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    await this.#script(client, 'begin')
    const result = await work({
      query: (statement, values) => this.#send(client, { name: '', text: statement.text }, values),
      script: (text) => this.#script(client, text),
    })
    await this.#script(client, 'commit')
    return result
  }

  async #script(client: PgClient, text: string): Promise<void> {
    await client.query({ text, query_timeout: this.#timeoutMs })
  }

  async #send(
    target: { query(config: PgQuery): Promise<{ rows: unknown[] } | { rows: unknown[] }[]> },
    statement: Statement,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const result = await target.query({
      ...(this.#isNaming && statement.name !== '' ? { name: statement.name } : undefined),
      text: statement.text,
      values: values as unknown[],
      rowMode: 'array',
      types,
      query_timeout: this.#timeoutMs,
    })
    return (result as { rows: Row[] }).rows
  }
}

function ignore(): void {}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
