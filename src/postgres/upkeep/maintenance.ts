import sweepLeases from '../../../sql/statements/loading/sweep.sql'
import keepLog from '../../../sql/statements/near/keep.sql'
import measureLog from '../../../sql/statements/near/measure.sql'
import checkReadOnly from '../../../sql/statements/schema/check-read-only.sql'
import sweepTags from '../../../sql/statements/tags/sweep.sql'
import countEntries from '../../../sql/statements/upkeep/count-entries.sql'
import countExpiring from '../../../sql/statements/upkeep/count-expiring.sql'
import countLocks from '../../../sql/statements/upkeep/count-locks.sql'
import countTenants from '../../../sql/statements/upkeep/count-tenants.sql'
import evictWritten from '../../../sql/statements/upkeep/evict-written.sql'
import findQuotaCut from '../../../sql/statements/upkeep/find-quota-cut.sql'
import finishSweep from '../../../sql/statements/upkeep/finish-sweep.sql'
import measureTable from '../../../sql/statements/upkeep/measure-table.sql'
import readSweep from '../../../sql/statements/upkeep/read-sweep.sql'
import sweepBlocks from '../../../sql/statements/upkeep/sweep/blocks.sql'
import claimBlocks from '../../../sql/statements/upkeep/sweep/claim-blocks.sql'
import sweepCounters from '../../../sql/statements/upkeep/sweep/counters.sql'
import sweepLocks from '../../../sql/statements/upkeep/sweep/locks.sql'
import sweepSessions from '../../../sql/statements/upkeep/sweep/sessions.sql'
import takeSweepLease from '../../../sql/statements/upkeep/take-sweep-lease.sql'
import { countOf, type NamespaceCount } from '../entries/namespace-count'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

export type { NamespaceCount }

export interface TableSize {
  readonly tableBytes: number
  readonly indexBytes: number
  readonly isUnlogged: boolean
  /** Of the entry table. */
  readonly blocks: number
  /** With indexes, as the next. */
  readonly sessionBytes: number
  readonly sessionBlocks: number
  readonly counterBytes: number
  readonly counterBlocks: number
}

/** What a namespace holds of values of one size: up to 10 ** sizeClass bytes. */
export interface SizedCount extends NamespaceCount {
  readonly sizeClass: number
}

export interface ExpiringCounts {
  readonly sessions: LiveAndExpired
  readonly counters: LiveAndExpired
}

export interface LockCount {
  /** By whoever, in all tenants. */
  readonly held: number
  /** On disk, with indexes. */
  readonly bytes: number
}

/** What the processes that hold near are told by. */
export interface NearLogCount {
  /** Namespaces, of all tenants, whose writes are logged: they are held near, or were once. */
  readonly namespaces: number
  /** Rows of the log; a million at most. */
  readonly rows: number
  /** On disk, with indexes. */
  readonly bytes: number
  /** How far back the log reaches, in milliseconds, to 20 seconds; undefined: nobody has read it yet. A minute or two where it is kept up. */
  readonly reachesMsBack: number | undefined
}

export interface LiveAndExpired {
  readonly live: number
  readonly expired: number
}

/** What is swept. Rows of sessions and counters are dead by their expiry alone; a lock's is an hour later, a tag's an hour after all that may be under it, a lease's a minute after its end. */
export type SweptTable = 'entry' | 'session' | 'counter' | 'lock' | 'tag' | 'lease'

/** A range of blocks that is the caller's to sweep: from <= block < to. */
export interface Claim {
  readonly from: number
  readonly to: number
  /** Blocks walked before, in all turns together. */
  readonly position: number
  /** Of the whole table. */
  readonly blocks: number
}

/** The last whole turn. */
export interface LastSweep {
  /** Epoch milliseconds of the database's clock. */
  readonly finishedAt: number
  readonly removed: number
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

/** Up to where a tenant's entries go, oldest first: the row written at that moment, with that version and key, is the last. */
export type QuotaCut = readonly [writtenAt: number, version: number, namespace: string, key: string]

/** What is done to whole tables, for all tenants. */
export class Maintenance {
  readonly #database: StatementRunner
  readonly #claimBlocks: Statement
  readonly #countEntries: Statement
  readonly #countExpiring: Statement
  readonly #countLocks: Statement
  readonly #countTenants: Statement
  readonly #evictWritten: Statement
  readonly #findQuotaCut: Statement
  readonly #keepLog: Statement
  readonly #finishSweep: Statement
  readonly #measureLog: Statement
  readonly #measureTable: Statement
  readonly #readSweep: Statement
  readonly #sweeps: Readonly<Record<SweptTable, Statement>>
  readonly #takeSweepLease: Statement
  readonly #checkReadOnly: Statement

  constructor(database: StatementRunner, schema: string) {
    this.#database = database
    this.#claimBlocks = statementOf(claimBlocks, schema)
    this.#countEntries = statementOf(countEntries, schema)
    this.#countExpiring = statementOf(countExpiring, schema)
    this.#countLocks = statementOf(countLocks, schema)
    this.#countTenants = statementOf(countTenants, schema)
    this.#evictWritten = statementOf(evictWritten, schema)
    this.#findQuotaCut = statementOf(findQuotaCut, schema)
    this.#keepLog = statementOf(keepLog, schema)
    this.#finishSweep = statementOf(finishSweep, schema)
    this.#readSweep = statementOf(readSweep, schema)
    this.#takeSweepLease = statementOf(takeSweepLease, schema)
    this.#checkReadOnly = statementOf(checkReadOnly, schema)
    this.#measureLog = statementOf(measureLog, schema)
    this.#measureTable = statementOf(measureTable, schema)
    this.#sweeps = {
      entry: statementOf(sweepBlocks, schema),
      session: statementOf(sweepSessions, schema),
      counter: statementOf(sweepCounters, schema),
      lock: statementOf(sweepLocks, schema),
      tag: statementOf(sweepTags, schema),
      lease: statementOf(sweepLeases, schema),
    }
  }

  /** The next `step` blocks of a table at most. No other process is given them in this turn. */
  async claim(table: SweptTable, step: number): Promise<Claim> {
    const [row] = await this.#database.write(this.#claimBlocks, [table, step])
    const [from, to, position, blocks] = row as [number, number, number, number]
    return { from, to, position, blocks }
  }

  /** Removes the dead rows of the blocks `from` <= block < `to`. */
  async sweep(table: SweptTable, from: number, to: number): Promise<SweptBlocks> {
    const [row] = await this.#database.write(this.#sweeps[table], [from, to])
    const [expired, cleared = 0] = row as [number, number | undefined]
    return { expired, cleared }
  }

  /** Whether the caller is the one that sweeps by the clock now; not if the last turn ended less than `sinceMs` ago. */
  async takeLease(holder: string, forMs: number, sinceMs: number): Promise<boolean> {
    // A standby: its primary is swept.
    const [readOnly] = await this.#database.read(this.#checkReadOnly, [])
    if (readOnly?.[0] === true) return false
    const rows = await this.#database.write(this.#takeSweepLease, [holder, forMs, sinceMs])
    return rows.length > 0
  }

  /** A whole turn is done. */
  async finish(removed: number, holder: string | null): Promise<void> {
    await this.#database.write(this.#finishSweep, [removed, holder])
  }

  /** undefined: there was none yet. */
  async lastSweep(): Promise<LastSweep | undefined> {
    const [row] = await this.#database.read(this.#readSweep, [])
    if (row === undefined) return undefined
    const [finishedAt, removed] = row as [number, number]
    return { finishedAt, removed }
  }

  /** What the entries in `percent` of the table's blocks are. */
  async count(percent: number): Promise<SizedCount[]> {
    const rows = await this.#database.read(this.#countEntries, [percent])
    return rows.map(([tenant, namespace, sizeClass, ...counts]) => ({
      ...countOf([tenant, namespace, ...counts]),
      sizeClass: sizeClass as number,
    }))
  }

  /** Of sessions and counters, in so many percent of their blocks. */
  async countExpiring(percentOfSessions: number, percentOfCounters: number): Promise<ExpiringCounts> {
    const [row] = await this.#database.read(this.#countExpiring, [percentOfSessions, percentOfCounters])
    const [sessions, expiredSessions, counters, expiredCounters] = row as [number, number, number, number]
    return {
      sessions: { live: sessions, expired: expiredSessions },
      counters: { live: counters, expired: expiredCounters },
    }
  }

  /** Locks that somebody holds. */
  async countLocks(): Promise<LockCount> {
    const [row] = await this.#database.read(this.#countLocks, [])
    const [held, bytes] = row as [number, number]
    return { held, bytes }
  }

  /** The log of what is held near. */
  async nearLog(): Promise<NearLogCount> {
    const [row] = await this.#database.read(this.#measureLog, [])
    const [namespaces, rows, bytes, reachesMsBack] = row as [number, number, number, number | null]
    return { namespaces, rows, bytes, reachesMsBack: reachesMsBack ?? undefined }
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

  /**
   * Removes the tenant's entries up to the cut, `perStep` a statement; answers how many.
   * @param goesOn asked after each step
   */
  async evict(tenant: string, cut: QuotaCut, perStep: number, goesOn: () => Promise<boolean>): Promise<number> {
    let total = 0
    let from: readonly [namespace: string, key: string] = ['', '']
    for (;;) {
      const [row] = await this.#database.write(this.#evictWritten, [tenant, ...cut, ...from, perStep])
      const [seen, evicted, namespace, key] = row as [number, number, string, string]
      total += evicted
      if (seen < perStep || !(await goesOn())) return total
      from = [namespace, key]
    }
  }

  /** The log of marked namespaces, where nobody may read it any more; answers whether there is more of it than a step takes away. */
  async keepLog(perStep: number): Promise<boolean> {
    const [row] = await this.#database.write(this.#keepLog, [perStep])
    return row?.[0] === true
  }

  async size(): Promise<TableSize> {
    const [row] = await this.#database.read(this.#measureTable, [])
    const [tableBytes, indexBytes, isUnlogged, ...sizes] = row as [number, number, boolean, ...number[]]
    const [blocks, sessionBytes, sessionBlocks, counterBytes, counterBlocks] = sizes as [
      number,
      number,
      number,
      number,
      number,
    ]
    return { tableBytes, indexBytes, isUnlogged, blocks, sessionBytes, sessionBlocks, counterBytes, counterBlocks }
  }
}
