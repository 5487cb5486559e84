import type { Isolation } from '../../postgres/schema/migrator'
import type { PgPool, PgPoolOptions } from '../../postgres/wire/pg/driver'
import type { Pglite } from '../../postgres/wire/pglite-driver'
import type { QuotaSource } from '../upkeep/quota'

export type { Isolation }

/** What a call does when the database cannot be reached: fail, or answer as if nothing were stored. */
export type OnError = 'throw' | 'miss'

/** The connection of the role that owns the tables: options of a pool, or a pool. */
export interface MaintenanceConnection extends PgPoolOptions {
  /** A `pg.Pool` of yours. It is used, and never closed. Default: none, the other options open one, of 2 connections. */
  readonly pool?: PgPool | undefined
}

/** What holds for all that a stash holds near, whatever its namespace. */
export interface NearSettings {
  /** What is held weighs at most so many bytes; what was used longest ago goes first. Default: 64 MiB. */
  readonly maxBytes?: number | undefined
  /** How many entries are held at most. Default: 10,000. */
  readonly maxEntries?: number | undefined
  /**
   * How old an answer from memory may be, in milliseconds: it was current at some moment of that time, whatever was lost on the way. Without a look at the log for so long, reads go to
   * the database. Default: 1,000.
   */
  readonly maxStalenessMs?: number | undefined
  /** How often the log is looked at while something near is read, in milliseconds. Default: 250, or `maxStalenessMs` where that is less. */
  readonly pollMs?: number | undefined
  /**
   * Whether it also listens for a bell (LISTEN), on a connection of its own, so that most changes are seen within milliseconds. It may fall silent, as it is behind PgBouncer in transaction
   * mode: polls alone keep the bound. `auto`: with the options of the stash, as far as it is heard; a connection string: there, past a pooler; false: not at all. Default: `auto`.
   */
  readonly listen?: 'auto' | false | string | undefined
}

/** How a namespace is held near: answered from the memory of the process, within `maxStalenessMs` of what the database has. */
export interface NearOptions {
  /**
   * An entry is answered from memory for so long at most, in milliseconds, whatever it has left to live: it bounds what writers change that tell no log, by hand or of a version before. Default:
   * 60,000.
   */
  readonly ttl?: number | undefined
  /** For how long it is remembered that there is no entry, in milliseconds; 0: not at all. Random keys would fill the memory. Default: 0. */
  readonly absentTtl?: number | undefined
  /**
   * `copy`: each hit answers a copy, and it is the caller's. `frozen`: decoded once and frozen, however deep, for all callers; hits are several times as fast. Bytes are copied in
   * either case. Default: `copy`.
   */
  readonly values?: 'copy' | 'frozen' | undefined
  /** While the database is away memory answers for so much longer, in milliseconds, where a read of it has failed; 0: not at all. Default: 0. */
  readonly staleIfErrorMs?: number | undefined
}

/** Of a store: how its entries are held near, and what holds for all that its own stash holds. */
export interface NearStoreOptions extends NearOptions, NearSettings {}

/** Everything a stash can be told. All of it is optional. */
export interface PgStashOptions extends PgPoolOptions {
  /** A `pg.Pool` of yours. It is used, and never closed. Default: none, the other options open one. */
  readonly pool?: PgPool | undefined
  /** A PGlite of yours: PostgreSQL in the process. It is used, and never closed. Default: none. */
  readonly pglite?: Pglite | undefined
  /** The schema of the tables. Letters, digits, `_` and `$`, 63 at most: a name that needs no escape in any script or job. Default: `pgstash`. */
  readonly schema?: string | undefined
  /**
   * Whether the entry table is made unlogged, when this stash is the one that makes it. Writes get cheaper; a crash of the
   * server, or a failover, empties the table. Default: false.
   */
  readonly unlogged?: boolean | undefined
  /**
   * Whether the counters of rate limits are logged, when this stash is the one that makes their table: they then survive a crash of the server, and hits
   * cost more. Default: false.
   */
  readonly loggedCounters?: boolean | undefined
  /**
   * How tenants are kept apart. `column`: a condition in every statement. `rls`: by the database itself; the role must be neither
   * superuser nor BYPASSRLS nor owner of the tables, which the first call checks. Default: `column`.
   */
  readonly isolation?: Isolation | undefined
  /** For what looks at all tenants or changes the schema: `migrate`, `sweep`, `stats`. Default: the stash's own connection, unless `isolation` is `rls`. */
  readonly maintenance?: string | MaintenanceConnection | undefined
  /**
   * What each tenant may hold; over it, its entries written longest ago go in the next `sweep()`. Never those of another tenant.
   * Default: no limit.
   */
  readonly quota?: QuotaSource | undefined
  /**
   * How often expired and cleared rows are removed; of all processes on the schema one does it. false: never by itself, somebody calls `sweep()`. Under
   * `isolation: 'rls'` it needs `maintenance`. Default: every five minutes.
   */
  readonly sweeper?:
    | {
        /** About the time between two turns, of all processes together, in milliseconds. Default: 300,000. */
        readonly intervalMs?: number | undefined
      }
    | false
    | undefined
  /** Whether the first call may create or upgrade the schema. Default: true. */
  readonly migrate?: boolean | undefined
  /**
   * How long a call may take, in milliseconds, waiting included; where it takes several statements (`keys`, `entries`, `deleteByPrefix`, `sweep`, `migrate`), each of
   * them. Default: 10,000.
   */
  readonly timeoutMs?: number | undefined
  /**
   * `throw`: an unreachable database fails the call. `miss`: reads answer as if nothing were stored and plain writes as if
   * they had found nothing; calls that decide something (add, compareAndSet, increment, take, clear) still throw. Default: `throw`.
   */
  readonly onError?: OnError | undefined
  /** Largest value, in bytes as stored: JSON for data, base64 for bytes. Default: 64 MiB. */
  readonly maxValueBytes?: number | undefined
  /** What one statement carries at most. Larger batches are slower to answer their first caller. Default: 256 rows, 4 MiB. */
  readonly batch?:
    | {
        /** Rows of one statement. Default: 256. */
        readonly maxRows?: number | undefined
        /** Bytes of the values of one statement; a larger value travels alone. Default: 4 MiB. */
        readonly maxBytes?: number | undefined
      }
    | undefined
  /** What is held near, of those namespaces that ask for it (option `near` of a namespace or a store). Default: as said there. */
  readonly near?: NearSettings | undefined
  /** When calls fail at once instead of asking a database that is away; false: never. Default: after 5 failures, for a second. */
  readonly breaker?:
    | {
        /** Connection failures in a row. Default: 5. */
        readonly failures?: number | undefined
        /** For how long calls then fail, in milliseconds. Default: 1,000. */
        readonly cooldownMs?: number | undefined
      }
    | false
    | undefined
}
