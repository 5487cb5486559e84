import countBlocks from '../../sql/statements/count-blocks.sql'
import countEntries from '../../sql/statements/count-entries.sql'
import measureTable from '../../sql/statements/measure-table.sql'
import sweepBlocks from '../../sql/statements/sweep-blocks.sql'
import { countOf, type NamespaceCount } from './namespace-count'
import { type Statement, statementOf } from './statement'
import type { StatementRunner } from './statement-runner'

export type { NamespaceCount }

export interface TableSize {
  readonly tableBytes: number
  readonly indexBytes: number
  readonly isUnlogged: boolean
}

export interface Swept {
  readonly expired: number
  readonly cleared: number
}

/** What is done to whole tables, for all tenants. */
export class Maintenance {
  readonly #database: StatementRunner
  readonly #countBlocks: Statement
  readonly #countEntries: Statement
  readonly #measureTable: Statement
  readonly #sweepBlocks: Statement

  constructor(database: StatementRunner, schema: string) {
    this.#database = database
    this.#countBlocks = statementOf(countBlocks, schema)
    this.#countEntries = statementOf(countEntries, schema)
    this.#measureTable = statementOf(measureTable, schema)
    this.#sweepBlocks = statementOf(sweepBlocks, schema)
  }

  /** The size of the entry table, in blocks. */
  async blocks(): Promise<number> {
    const [row] = await this.#database.read(this.#countBlocks, [])
    return row?.[0] as number
  }

  /** Removes the dead rows of the blocks `from` <= block < `to`. */
  async sweep(from: number, to: number): Promise<Swept> {
    const [row] = await this.#database.write(this.#sweepBlocks, [from, to])
    const [expired, cleared] = row as [number, number]
    return { expired, cleared }
  }

  /** Reads the whole table. */
  async count(): Promise<NamespaceCount[]> {
    const rows = await this.#database.read(this.#countEntries, [])
    return rows.map(countOf)
  }

  async size(): Promise<TableSize> {
    const [row] = await this.#database.read(this.#measureTable, [])
    const [tableBytes, indexBytes, isUnlogged] = row as [number, number, boolean]
    return { tableBytes, indexBytes, isUnlogged }
  }
}
