import countBlocks from '../../sql/statements/count-blocks.sql'
import countEntries from '../../sql/statements/count-entries.sql'
import countTenants from '../../sql/statements/count-tenants.sql'
import evictOldest from '../../sql/statements/evict-oldest.sql'
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

/** What a step of a sweep removed. */
export interface SweptBlocks {
  readonly expired: number
  readonly cleared: number
}

/** What a tenant holds alive. */
export interface TenantCount {
  readonly tenant: string
  readonly entries: number
  /** Of the values. */
  readonly bytes: number
}

/** What a step of an eviction found over quota, and what of it nobody else held. */
export interface Eviction {
  readonly found: number
  readonly evicted: number
}

/** What is done to whole tables, for all tenants. */
export class Maintenance {
  readonly #database: StatementRunner
  readonly #countBlocks: Statement
  readonly #countEntries: Statement
  readonly #countTenants: Statement
  readonly #evictOldest: Statement
  readonly #measureTable: Statement
  readonly #sweepBlocks: Statement

  constructor(database: StatementRunner, schema: string) {
    this.#database = database
    this.#countBlocks = statementOf(countBlocks, schema)
    this.#countEntries = statementOf(countEntries, schema)
    this.#countTenants = statementOf(countTenants, schema)
    this.#evictOldest = statementOf(evictOldest, schema)
    this.#measureTable = statementOf(measureTable, schema)
    this.#sweepBlocks = statementOf(sweepBlocks, schema)
  }

  /** The size of the entry table, in blocks. */
  async blocks(): Promise<number> {
    const [row] = await this.#database.read(this.#countBlocks, [])
    return row?.[0] as number
  }

  /** Removes the dead rows of the blocks `from` <= block < `to`. */
  async sweep(from: number, to: number): Promise<SweptBlocks> {
    const [row] = await this.#database.write(this.#sweepBlocks, [from, to])
    const [expired, cleared] = row as [number, number]
    return { expired, cleared }
  }

  /** Reads the whole table. */
  async count(): Promise<NamespaceCount[]> {
    const rows = await this.#database.read(this.#countEntries, [])
    return rows.map(countOf)
  }

  /** Reads the whole table. */
  async countTenants(): Promise<TenantCount[]> {
    const rows = await this.#database.read(this.#countTenants, [])
    return rows.map((row) => {
      const [tenant, entries, bytes] = row as [string, number, number]
      return { tenant, entries, bytes }
    })
  }

  /** Removes at most `limit` of the entries beyond the newest that the tenant may keep (null: no limit). */
  async evict(tenant: string, maxEntries: number | null, maxBytes: number | null, limit: number): Promise<Eviction> {
    const [row] = await this.#database.write(this.#evictOldest, [tenant, maxEntries, maxBytes, limit])
    const [found, evicted] = row as [number, number]
    return { found, evicted }
  }

  async size(): Promise<TableSize> {
    const [row] = await this.#database.read(this.#measureTable, [])
    const [tableBytes, indexBytes, isUnlogged] = row as [number, number, boolean]
    return { tableBytes, indexBytes, isUnlogged }
  }
}
