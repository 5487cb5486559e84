import pg from 'pg'
import { CallTimeoutError } from '../errors'
import type { Driver, PoolUse, Row, Transaction } from './driver'
import { PgSubmittable, parserOf } from './pg-submittable'
import { asTenant } from './set-tenant'
import type { Statement } from './statement'
import { isLostStatement, isReadTimeout } from './transient-failure'

/** What this package uses of a `pg.Pool`; any version of `pg` 8 fits. */
export interface PgPool {
  query(config: PgQueryConfig): Promise<{ rows: unknown[] }>
  connect(): Promise<PgClient>
}

/** What this package uses of a `pg.PoolClient`. */
export interface PgClient {
  query(config: PgQueryConfig): Promise<{ rows: unknown[] } | { rows: unknown[] }[]>
  release(error?: Error | boolean): void
  on(event: 'error', listener: () => void): unknown
  removeListener(event: 'error', listener: () => void): unknown
}

/** What this package passes to `query`. */
export interface PgQueryConfig {
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

/** Ours, per query: an application's `pg.types.setTypeParser` changes nothing here, nor we there. */
const types = { getTypeParser: (oid: number) => parserOf(oid) ?? ((text: string) => text) }

/** A pool of `pg`'s own clients, which take submittables. */
interface PgJavaScriptPool {
  connect(callback: (error: unknown, client: PgJavaScriptClient, release: (error?: unknown) => void) => void): void
}

interface PgJavaScriptClient {
  /** The callback is the second argument: as the third, `pg` before 8.19 does not see it. */
  query(query: PgSubmittable, callback: (error: unknown) => void): void
  once(event: 'error', listener: (error: unknown) => void): unknown
  removeListener(event: 'error', listener: (error: unknown) => void): unknown
}

/** Not so: pools of `pg-native`, those that pipeline, and what only looks like a pool. They get configs, and are slower. */
function takesSubmittables(pool: unknown): boolean {
  const { Client, options } = pool as {
    Client?: { Query?: { prototype?: { prepare?: unknown } } }
    options?: { pipeline?: unknown }
  }
  return typeof Client?.Query?.prototype?.prepare === 'function' && !options?.pipeline
}

type Connected = Parameters<Parameters<PgJavaScriptPool['connect']>[0]>

/**
 * A client of the pool, within a time limit: a pool of the caller's may have none, and wait for ever. A client that comes too late goes back. Where one is
 * idle there is nothing to wait for, and no timer.
 */
function connect(pool: PgJavaScriptPool, timeoutMs: number | undefined, done: (...connected: Connected) => void): void {
  const { idleCount = 0, waitingCount = 0 } = pool as { idleCount?: number; waitingCount?: number }
  if (timeoutMs === undefined || idleCount > waitingCount) {
    pool.connect(done)
    return
  }
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    done(new CallTimeoutError(timeoutMs, 'not-sent'), undefined as never, ignore)
  }, timeoutMs)
  pool.connect((refusal, client, release) => {
    clearTimeout(timer)
    if (!isLate) done(refusal, client, release)
    else if (!refusal) release()
  })
}

/** What `pool.query` does for a config: an error, told by the query or by its connection, ends the connection. */
function submit(
  pool: PgJavaScriptPool,
  timeoutMs: number | undefined,
  query: PgSubmittable,
  done: (error: unknown) => void,
): void {
  connect(pool, timeoutMs, (refusal, client, release) => {
    if (refusal) {
      done(refusal)
      return
    }
    let isOver = false
    const end = (error: unknown) => {
      if (isOver) return
      isOver = true
      client.removeListener('error', end)
      release(error)
      done(error)
    }
    client.once('error', end)
    try {
      client.query(query, end)
    } catch (error) {
      end(error)
    }
  })
}

/** The body over `pg`. */
export class PgDriver implements Driver {
  readonly #pool: PgPool
  readonly #takesSubmittables: boolean
  readonly #end: (() => Promise<void>) | undefined
  readonly #timeoutMs: number
  /** undefined: the pool is our own, and has its limit. */
  readonly #connectMs: number | undefined
  /** false for the life of the pool once a pooler has lost a named statement. */
  #isNaming = true

  private constructor(pool: PgPool, timeoutMs: number, end?: () => Promise<void>) {
    this.#pool = pool
    this.#takesSubmittables = takesSubmittables(pool)
    this.#timeoutMs = timeoutMs
    this.#connectMs = end === undefined ? timeoutMs : undefined
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

  query(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    if (this.#isNaming) return this.#sendNamed(statement, values, tenant)
    return this.#send(statement, values, tenant, false)
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = await this.#connect()
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

  poolUse(): PoolUse | undefined {
    const { totalCount, idleCount, waitingCount } = this.#pool as PgPool & Partial<pg.Pool>
    if (totalCount === undefined || idleCount === undefined || waitingCount === undefined) return undefined
    return { total: totalCount, idle: idleCount, waiting: waitingCount }
  }

  async close(): Promise<void> {
    await this.#end?.()
  }

  /** Pools that only look like one are taken at their word. */
  #connect(): Promise<PgClient> {
    if (!this.#takesSubmittables) return this.#pool.connect()
    return new Promise((resolve, reject) => {
      connect(this.#pool as unknown as PgJavaScriptPool, this.#connectMs, (refusal, client) =>
        refusal ? reject(refusal) : resolve(client as unknown as PgClient),
      )
    })
  }

  async #within<T>(client: PgClient, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    await this.#script(client, 'begin')
    const result = await work({
      query: async (statement, values) => rowsOf(await client.query(this.#config(statement, values, false))),
      script: (text) => this.#script(client, text),
    })
    await this.#script(client, 'commit')
    return result
  }

  async #script(client: PgClient, text: string): Promise<void> {
    await client.query({ text, query_timeout: this.#timeoutMs })
  }

  #sendNamed(statement: Statement, values: readonly unknown[], tenant: string | undefined): Promise<readonly Row[]> {
    return this.#send(statement, values, tenant, true).catch((error: unknown) => {
      if (!isLostStatement(error)) throw error
      // PgBouncer before 1.21 in transaction mode: the statement was prepared on another server connection. It did not
      // run, so it may run again.
      this.#isNaming = false
      return this.#send(statement, values, tenant, false)
    })
  }

  #send(
    statement: Statement,
    values: readonly unknown[],
    tenant: string | undefined,
    isNamed: boolean,
  ): Promise<readonly Row[]> {
    if (!this.#takesSubmittables) return this.#sendConfig(statement, values, tenant, isNamed)
    return new Promise((resolve, reject) => {
      const query = new PgSubmittable(statement, values, { timeoutMs: this.#timeoutMs, isNamed, tenant })
      const pool = this.#pool as unknown as PgJavaScriptPool
      submit(pool, this.#connectMs, query, (error) => (error ? reject(error) : resolve(query.rows)))
    })
  }

  #sendConfig(
    statement: Statement,
    values: readonly unknown[],
    tenant: string | undefined,
    isNamed: boolean,
  ): Promise<readonly Row[]> {
    if (tenant !== undefined) return this.transaction((transaction) => asTenant(transaction, tenant, statement, values))
    return this.#pool.query(this.#config(statement, values, isNamed)).then(rowsOf)
  }

  #config(statement: Statement, values: readonly unknown[], isNamed: boolean): PgQueryConfig {
    const config: PgQueryConfig = {
      text: statement.text,
      values: values as unknown[],
      rowMode: 'array',
      types,
      query_timeout: this.#timeoutMs,
    }
    return isNamed ? { ...config, name: statement.name } : config
  }
}

function rowsOf(result: unknown): readonly Row[] {
  return (result as { rows: Row[] }).rows
}

function ignore(): void {}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
