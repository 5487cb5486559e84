import readKeyvTable from '../../../sql/statements/import/read-keyv-table.sql'
import { Database } from '../schema/database'
import { PgDriver, type PgPoolOptions } from '../wire/pg/driver'
import { type Statement, statementOfTable, type TableName } from '../wire/statement'

/** Where a page ends: the primary key of its last row. */
export interface KeyvTablePosition {
  readonly key: string
  readonly namespace: string
}

export interface KeyvTableRow extends KeyvTablePosition {
  /** Whether the filter lets it through; without, it comes without its value. */
  readonly isWanted: boolean
  readonly value: string | null
  /** Epoch milliseconds; null: none, or one that only the value knows (before version 6). */
  readonly expires: number | null
}

/** Which rows are wanted, by their key as Keyv 5 writes it: `namespace:key`. */
export interface KeyvTableFilter {
  readonly prefix?: string | undefined
  /** A regular expression of PostgreSQL. */
  readonly expression?: string | undefined
}

/** A table that @keyv/postgres has made, of any version: `(key, value)`, since version 6 also `namespace` and `expires`. It is only read. */
export class KeyvTable {
  readonly #database: Database
  readonly #read: Statement

  constructor(options: PgPoolOptions, name: TableName, timeoutMs: number) {
    const driver = PgDriver.open({ max: 1, application_name: 'pgstash-import', ...options }, timeoutMs)
    this.#database = new Database(driver, async () => {}, { timeoutMs, breaker: null, schema: undefined })
    this.#read = statementOfTable(readKeyvTable, name)
  }

  /** The next `limit` rows behind a position, in the order of the primary key; fewer only at the end. */
  async page(
    behind: KeyvTablePosition | undefined,
    { prefix, expression }: KeyvTableFilter,
    limit: number,
  ): Promise<KeyvTableRow[]> {
    const from = behind === undefined ? ['', '', -1] : [behind.key, behind.namespace, 0]
    const rows = await this.#database.read(this.#read, [...from, prefix ?? null, expression ?? null, limit])
    return rows.map((row) => {
      const [key, namespace, isWanted, value, expires] = row as [string, string, boolean, string | null, number | null]
      return { key, namespace, isWanted, value, expires }
    })
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
