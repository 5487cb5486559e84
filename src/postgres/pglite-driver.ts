import type { Driver, Row, Transaction } from './driver'
import { asTenant } from './set-tenant'
import type { Statement } from './statement'

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

const int8 = 20
const charType = 18

/** As the body over `pg` reads them. */
const options: PgliteQueryOptions = {
  rowMode: 'array',
  parsers: { [int8]: Number, [charType]: (text) => text },
}

/** The body over PGlite: one connection, in the process, never closed by us. */
export class PgliteDriver implements Driver {
  readonly #pglite: Pglite

  constructor(pglite: Pglite) {
    this.#pglite = pglite
  }

  async query(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    if (tenant === undefined) return send(this.#pglite, statement, values)
    return this.transaction((transaction) => asTenant(transaction, tenant, statement, values))
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const result = await this.#pglite.transaction((connection) =>
      work({
        query: (statement, values) => send(connection, statement, values),
        script: async (text) => void (await connection.exec(text)),
      }),
    )
    return result as T
  }

  poolUse(): undefined {}

  async close(): Promise<void> {}
}

async function send(
  connection: PgliteConnection,
  statement: Statement,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const result = await connection.query<Row>(statement.text, values as unknown[], options)
  return result.rows
}
