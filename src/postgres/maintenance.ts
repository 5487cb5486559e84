import countBlocks from '../../sql/statements/count-blocks.sql'
import countCounterBlocks from '../../sql/statements/count-counter-blocks.sql'
import countEntries from '../../sql/statements/count-entries.sql'
import countSessionBlocks from '../../sql/statements/count-session-blocks.sql'
import countTenants from '../../sql/statements/count-tenants.sql'
import evictWritten from '../../sql/statements/evict-written.sql'
import findQuotaCut from '../../sql/statements/find-quota-cut.sql'
import measureTable from '../../sql/statements/measure-table.sql'
import sweepBlocks from '../../sql/statements/sweep-blocks.sql'
import sweepCounters from '../../sql/statements/sweep-counters.sql'
import sweepSessions from '../../sql/statements/sweep-sessions.sql'
import { countOf, type NamespaceCount } from './namespace-count'
import { type Statement, statementOf } from './statement'
import type { StatementRunner } from './statement-runner'

export type { NamespaceCount }

export interface TableSize {
  readonly tableBytes: number
  readonly indexBytes: number
  readonly isUnlogged: boolean
}

/** A table whose rows are dead by their expiry alone. */
export type ExpiringTable = 'session' | 'counter'

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

/** Up to where a tenant's entries go, oldest first: the row written at that moment, with that version and key, is the last. */
export type QuotaCut = readonly [writtenAt: number, version: number, namespace: string, key: string]

/** What is done to whole tables, for all tenants. */
export class Maintenance {
  readonly #database: StatementRunner
  readonly #countBlocks: Statement
  readonly #countEntries: Statement
  readonly #countTenants: Statement
  readonly #evictWritten: Statement
  readonly #findQuotaCut: Statement
  readonly #measureTable: Statement
  readonly #sweepBlocks: Statement
  readonly #expiring: Readonly<Record<ExpiringTable, { readonly count: Statement; readonly sweep: Statement }>>

  constructor(database: StatementRunner, schema: string) {
    this.#database = database
    this.#countBlocks = statementOf(countBlocks, schema)
    this.#countEntries = statementOf(countEntries, schema)
    this.#countTenants = statementOf(countTenants, schema)
    this.#evictWritten = statementOf(evictWritten, schema)
    this.#findQuotaCut = statementOf(findQuotaCut, schema)
    this.#measureTable = statementOf(measureTable, schema)
    this.#sweepBlocks = statementOf(sweepBlocks, schema)
    this.#expiring = {
      session: { count: statementOf(countSessionBlocks, schema), sweep: statementOf(sweepSessions, schema) },
      counter: { count: statementOf(countCounterBlocks, schema), sweep: statementOf(sweepCounters, schema) },
    }
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

  /** As `blocks`, of another table. */
  async blocksOf(table: ExpiringTable): Promise<number> {
    const [row] = await this.#database.read(this.#expiring[table].count, [])
    return row?.[0] as number
  }

  /** As `sweep`, of another table; answers how many rows went. */
  async sweepExpiring(table: ExpiringTable, from: number, to: number): Promise<number> {
    const [row] = await this.#database.write(this.#expiring[table].sweep, [from, to])
    return row?.[0] as number
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

  /** Ranks all that the tenant holds alive; undefined: it is within its quota (null: no limit). */
  async quotaCut(tenant: string, maxEntries: number | null, maxBytes: number | null): Promise<QuotaCut | undefined> {
    const [row] = await this.#database.read(this.#findQuotaCut, [tenant, maxEntries, maxBytes])
    return row as QuotaCut | undefined
  }

  /** Removes the tenant's entries up to the cut, `perStep` a statement; answers how many. */
  async evict(tenant: string, cut: QuotaCut, perStep: number): Promise<number> {
    let total = 0
    let from: readonly [namespace: string, key: string] = ['', '']
    for (;;) {
      const [row] = await this.#database.write(this.#evictWritten, [tenant, ...cut, ...from, perStep])
      const [seen, evicted, namespace, key] = row as [number, number, string, string]
      total += evicted
      if (seen < perStep) return total
      from = [namespace, key]
    }
  }

  async size(): Promise<TableSize> {
    const [row] = await this.#database.read(this.#measureTable, [])
    const [tableBytes, indexBytes, isUnlogged] = row as [number, number, boolean]
    return { tableBytes, indexBytes, isUnlogged }
  }
}
