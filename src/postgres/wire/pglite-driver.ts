import probeFile from '../../../sql/statements/wire/find-mark.sql'
import { OpenTransactionError } from '../../errors'
import type { Driver, Row, Transaction } from './driver'
import { NotConnected } from './not-connected'
import { asTenant } from './set-tenant'
import { type Statement, statementOf } from './statement'
import { isInFailedTransaction, sqlStateOf } from './transient-failure'

/** What this package uses of a `PGlite`. */
export interface Pglite extends PgliteConnection {
  transaction<T>(work: (transaction: PgliteConnection) => Promise<T>): Promise<T | undefined>
}

/** What a `PGlite` and its transactions share. */
export interface PgliteConnection {
  query<T>(text: string, values?: unknown[], options?: PgliteQueryOptions): Promise<{ rows: T[] }>
  exec(text: string): Promise<unknown>
}

/** What this package passes to `query`. */
export interface PgliteQueryOptions {
  rowMode?: 'array'
  parsers?: Record<number, (text: string) => unknown>
}

/** What a PGlite may tell of itself; one in a worker tells less. */
interface PgliteState {
  readonly closed?: boolean
  readonly ready?: boolean
  isInTransaction?(): boolean
}

const bool = 16
const charType = 18
const int8 = 20
const int4 = 23
const text = 25

/** Of the types that our statements answer with, as the body over `pg` reads them. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [bool]: (value) => value === 't',
  [charType]: (value) => value,
  [int8]: Number,
  [int4]: Number,
  [text]: (value) => value,
}

const options: PgliteQueryOptions = { rowMode: 'array', parsers: { ...parsers } }

/** Any statement that answers a row, and looks at nothing. */
const probe = statementOf(probeFile, '')

/** The body over PGlite: one connection, in the process, never closed by us. */
export class PgliteDriver implements Driver {
  readonly #pglite: Pglite & PgliteState

  constructor(pglite: Pglite) {
    this.#pglite = pglite
  }

  async query(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    if (tenant !== undefined) return this.transaction((transaction) => asTenant(transaction, tenant, statement, values))
    return this.#telling(() => this.#sendOutsideTransactions(statement, values, 'unknown'))
  }

  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#telling(async () => {
      await this.#sendOutsideTransactions(probe, [], 'not-sent')
      const result = await this.#pglite.transaction((connection) =>
        work({
          query: (statement, values) => send(connection, statement, values, options),
          script: async (text) => void (await connection.exec(text)),
        }),
      )
      return result as T
    })
  }

  /** It has one connection, which never meets another's writes. */
  /** There is no packet: the database runs in this process. */
  together(work: () => void): void {
    work()
  }

  demandReadCommitted(): void {}

  poolUse(): undefined {}

  async close(): Promise<void> {}

  /**
   * `transaction()` makes others wait, `exec('begin')` does not: everybody's statements then run in that transaction. PGlite tells whether one is open at any time; but
   * only while an answer is parsed is it certainly the one that the statement ran in.
   * @param outcome of a statement that was in one
   */
  async #sendOutsideTransactions(
    statement: Statement,
    values: readonly unknown[],
    outcome: 'not-sent' | 'unknown',
  ): Promise<readonly Row[]> {
    let isOpen: boolean | undefined
    const looking = (parse: (text: string) => unknown) => (value: string) => {
      isOpen ??= this.#pglite.isInTransaction?.() ?? false
      return parse(value)
    }
    const lookingParsers = Object.fromEntries(Object.entries(parsers).map(([oid, parse]) => [oid, looking(parse)]))
    const rows = await send(this.#pglite, statement, values, { rowMode: 'array', parsers: lookingParsers })
    if (isOpen) throw new OpenTransactionError(undefined, outcome)
    return rows
  }

  /** What is closed, or could not start, has run nothing. What it says itself of a statement has a SQLSTATE. */
  async #telling<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isInFailedTransaction(error)) throw new OpenTransactionError(error, 'not-sent')
      const { closed = false, ready = true } = this.#pglite
      if (sqlStateOf(error) === undefined && !(error instanceof OpenTransactionError) && (closed || !ready))
        throw new NotConnected(error)
      throw error
    }
  }
}

async function send(
  connection: PgliteConnection,
  statement: Statement,
  values: readonly unknown[],
  { rowMode, parsers }: PgliteQueryOptions,
): Promise<readonly Row[]> {
  const result = await connection.query<Row>(statement.text, values as unknown[], { rowMode, parsers })
  return result.rows
}
