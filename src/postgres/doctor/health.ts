import type { SqlFile } from '../../../sql/sql-file'
import healthClock from '../../../sql/statements/doctor/clock.sql'
import healthConnections from '../../../sql/statements/doctor/connections.sql'
import healthNearLog from '../../../sql/statements/doctor/near-log.sql'
import healthRemains from '../../../sql/statements/doctor/remains.sql'
import healthReplicas from '../../../sql/statements/doctor/replicas.sql'
import healthRole from '../../../sql/statements/doctor/role.sql'
import healthServer from '../../../sql/statements/doctor/server.sql'
import healthSight from '../../../sql/statements/doctor/sight.sql'
import healthSweep from '../../../sql/statements/doctor/sweep.sql'
import healthTables from '../../../sql/statements/doctor/tables.sql'
import { type Standing, standingOf } from '../schema/isolation-check'
import { compareRights, isolationFaults, type RoleRights } from '../schema/role-rights'
import type { Connection, Row } from '../wire/driver'
import { statementOf, unmarked } from '../wire/statement'

export interface ServerFacts {
  readonly version: string
  /** 150004 for 15.4. */
  readonly versionNumber: number
  readonly encoding: string
  readonly timeZone: string
  readonly tracksCounts: boolean
  readonly hasAutovacuum: boolean
  readonly isReplica: boolean
  /** `default_transaction_read_only`, or a replica. */
  readonly isReadOnly: boolean
  /** `default_transaction_isolation`. */
  readonly defaultIsolation: string
}

/** A limit that a new connection meets. */
export interface ConnectionLimit {
  /** Of the whole server, without what is kept for superusers; of this database; of this role. */
  readonly kind: 'server' | 'database' | 'role'
  /** Of the database or the role. */
  readonly name: string
  readonly most: number
  readonly used: number
  /** Of those in use, how many are of roles that the application does not use. */
  readonly others: number
}

export interface RoleFacts extends Standing {
  readonly mayUseSchema: boolean
  /** Whether its rights can be compared; null: there is nothing to compare them with. */
  readonly mayCompare: boolean | null
  /** It may read or write entries. */
  readonly hasRights: boolean
  /** A member of pg_monitor. */
  readonly isMonitor: boolean
  /** Row-level security is forced on some table at least. */
  readonly isForcedSomewhere: boolean
}

export interface TableFacts {
  readonly name: string
  readonly isUnlogged: boolean
  readonly blocks: number
  readonly liveRows: number
  readonly deadRows: number
  readonly updates: number
  readonly hotUpdates: number
  /** Epoch milliseconds, by hand or by itself; null: never. */
  readonly vacuumedAt: number | null
  /** false: switched off for this table. */
  readonly hasAutovacuum: boolean
}

export interface SweepFacts {
  /** The last whole turn of anybody, in epoch milliseconds; 0: never. */
  readonly finishedAt: number
  /** The last one by the clock. */
  readonly turnedAt: number
  readonly removed: number
  readonly isSweeping: boolean
  readonly now: number
}

/** The log of what is written in namespaces that are held near. */
export interface NearLogFacts {
  readonly marked: number
  /** Of these: some transaction is older than the mark, and nobody holds anything of them yet. */
  readonly waiting: number
  /** A million at most. */
  readonly rows: number
  readonly bytes: number
  /** Since the last turn, in milliseconds; null: nobody has read the log. */
  readonly turnedMsAgo: number | null
}

/** The database's clock against this machine's, in milliseconds: ahead is positive. It lies within `uncertaintyMs` of that. */
export interface ClockOffset {
  readonly offsetMs: number
  readonly uncertaintyMs: number
}

/** What a database can be asked about its state, before and beside any schema. Rejects with what the database said. */
export class Health {
  readonly #connection: Connection
  readonly #schema: string

  constructor(connection: Connection, schema: string) {
    this.#connection = connection
    this.#schema = schema
  }

  async server(): Promise<ServerFacts> {
    const [version, versionNumber, encoding, timeZone, ...are] = (await this.#row(healthServer)) as [
      ...[string, number, string, string],
      ...[boolean, boolean, boolean, boolean, string],
    ]
    const [tracksCounts, hasAutovacuum, isReplica, isReadOnly, defaultIsolation] = are
    const settings = { tracksCounts, hasAutovacuum, isReplica, isReadOnly, defaultIsolation }
    return { version, versionNumber, encoding, timeZone, ...settings }
  }

  /** @param ofMaintenance the other role of the application; undefined: there is none */
  async connectionLimits(ofMaintenance?: string): Promise<ConnectionLimit[]> {
    const rows = await this.#connection.query(statementOf(healthConnections, this.#schema), [ofMaintenance ?? ''])
    return rows.map((row) => {
      const [kind, name, most, used, others] = row as [ConnectionLimit['kind'], string, number, number, number]
      return { kind, name, most, used, others }
    })
  }

  async role(): Promise<RoleFacts> {
    const standing = await standingOf(this.#connection, this.#schema)
    const [mayUseSchema, mayCompare, ...are] = (await this.#row(healthRole, this.#schema)) as [
      ...[boolean, boolean | null, boolean, boolean, boolean],
    ]
    const [hasRights, isMonitor, isForcedSomewhere] = are
    return { ...standing, mayUseSchema, mayCompare, hasRights, isMonitor, isForcedSomewhere }
  }

  rights(role: string): Promise<RoleRights> {
    return compareRights(this.#connection, this.#schema, role)
  }

  isolationFaults(): Promise<string[]> {
    return isolationFaults(this.#connection, this.#schema)
  }

  /** Of the tables that are there. */
  async tables(): Promise<TableFacts[]> {
    const rows = await this.#connection.query(statementOf(healthTables, this.#schema), [this.#schema])
    return rows.map((row) => {
      const [name, isUnlogged, blocks, liveRows, deadRows, updates, hotUpdates, ...vacuum] = row as [
        ...[string, boolean, number, number, number, number, number],
        ...[number | null, boolean],
      ]
      const [vacuumedAt, hasAutovacuum] = vacuum
      return { name, isUnlogged, blocks, liveRows, deadRows, updates, hotUpdates, vacuumedAt, hasAutovacuum }
    })
  }

  /** Whether a statement that names no tenant sees any row. */
  async seesRows(): Promise<boolean> {
    const [row] = await this.#connection.query(unmarked(statementOf(healthSight, this.#schema)), [])
    return (row as [boolean])[0]
  }

  /** How many replicas are connected. */
  async replicas(): Promise<number> {
    const [count] = await this.#row(healthReplicas)
    return count as number
  }

  async sweep(): Promise<SweepFacts> {
    const [finishedAt, turnedAt, removed, isSweeping, now] = (await this.#row(healthSweep)) as [
      ...[number, number, number],
      ...[boolean, number],
    ]
    return { finishedAt, turnedAt, removed, isSweeping, now }
  }

  async nearLog(): Promise<NearLogFacts> {
    const [marked, waiting, rows, bytes, turnedMsAgo] = (await this.#row(healthNearLog)) as [
      ...[number, number, number, number],
      number | null,
    ]
    return { marked, waiting, rows, bytes, turnedMsAgo }
  }

  /** Whether a sweep would remove anything. Reads the tables: for small ones. */
  async hasRemains(): Promise<boolean> {
    const [hasRemains] = await this.#row(healthRemains)
    return hasRemains as boolean
  }

  /** The answer was made somewhere within the round trip. */
  async clockOffset(): Promise<ClockOffset> {
    const asked = Date.now()
    const [there] = (await this.#row(healthClock)) as [number]
    const uncertaintyMs = (Date.now() - asked) / 2
    return { offsetMs: Math.round(there - asked - uncertaintyMs), uncertaintyMs }
  }

  async #row(file: SqlFile, ...values: unknown[]): Promise<Row> {
    const [row] = await this.#connection.query(statementOf(file, this.#schema), values)
    return row as Row
  }
}
