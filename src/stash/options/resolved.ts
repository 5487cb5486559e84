import { assertKnown } from '../../entry/known-options'
import { InvalidArgumentError } from '../../errors'
import type { Isolation } from '../../postgres/schema/migrator'
import type { PgPool, PgPoolOptions } from '../../postgres/wire/pg/driver'
import type { Pglite } from '../../postgres/wire/pglite-driver'
import { assertQuota, type QuotaSource } from '../upkeep/quota'
import { definedOptions, plainOptions, plainTls } from './given'
import { assertOptions } from './mistaken'
import { assertAddress, assertEnvironment, assertServerAddress } from './server-address'

export type { Isolation }

/** What a call does when the database cannot be reached: fail, or answer as if nothing were stored. */
export type OnError = 'throw' | 'miss'

/** The connection of the role that owns the tables: options of a pool, or a pool. */
export interface MaintenanceConnection extends PgPoolOptions {
  /** A `pg.Pool` of yours. It is used, and never closed. */
  readonly pool?: PgPool | undefined
}

/** Everything a stash can be told. All of it is optional. */
export interface PgStashOptions extends PgPoolOptions {
  /** A `pg.Pool` of yours. It is used, and never closed. */
  readonly pool?: PgPool | undefined
  /** A PGlite of yours: PostgreSQL in the process. It is used, and never closed. */
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
   * How often expired and cleared rows are removed, in milliseconds; of all processes on the schema one does it. Default: 300,000, five minutes. false: never by
   * itself, somebody calls `sweep()`. Under `isolation: 'rls'` it needs `maintenance`.
   */
  readonly sweeper?: { readonly intervalMs?: number | undefined } | false | undefined
  /** Whether the first call may create or upgrade the schema. Default: true. */
  readonly migrate?: boolean | undefined
  /** How long a call may take, in milliseconds, waiting included. Default: 10,000. */
  readonly timeoutMs?: number | undefined
  /**
   * `throw`: an unreachable database fails the call. `miss`: reads answer as if nothing were stored and plain writes as if
   * they had found nothing; calls that decide something (add, compareAndSet, increment, take, clear) still throw. Default: `throw`.
   */
  readonly onError?: OnError | undefined
  /** Largest value, in bytes as stored. Default: 64 MiB. */
  readonly maxValueBytes?: number | undefined
  /** Caps of a batch: rows (default 256) and bytes of values (default 4 MiB). Larger batches are slower to answer their first caller. */
  readonly batch?: { readonly maxRows?: number | undefined; readonly maxBytes?: number | undefined } | undefined
  /** After so many connection failures in a row (default 5), calls fail at once for `cooldownMs` (default 1,000). false: never. */
  readonly breaker?:
    | { readonly failures?: number | undefined; readonly cooldownMs?: number | undefined }
    | false
    | undefined
}

/** The options with everything decided. */
export interface ResolvedOptions {
  readonly pool: PgPool | undefined
  readonly pglite: Pglite | undefined
  readonly poolOptions: PgPoolOptions
  readonly schema: string
  readonly isUnlogged: boolean
  readonly hasLoggedCounters: boolean
  readonly isolation: Isolation
  readonly maintenance: Pick<ResolvedOptions, 'pool' | 'pglite' | 'poolOptions' | 'timeoutMs'> | undefined
  readonly quota: QuotaSource | undefined
  readonly autoMigrate: boolean
  /** null: never. */
  readonly sweepIntervalMs: number | null
  readonly timeoutMs: number
  readonly onError: OnError
  readonly maxValueBytes: number
  readonly maxRows: number
  readonly maxBytes: number
  readonly breaker: { readonly failures: number; readonly cooldownMs: number } | null
}

const mebibyte = 1024 * 1024

/** Of `pg.Pool` and `pg.Client`: https://node-postgres.com/apis/pool and /client. Others go into a pool of the caller's. */
const poolOptionNames: ReadonlySet<string> = new Set(
  `host port user database password ssl sslnegotiation max min idleTimeoutMillis connectionTimeoutMillis maxUses maxLifetimeSeconds
  allowExitOnIdle application_name fallback_application_name statement_timeout query_timeout lock_timeout
  idle_in_transaction_session_timeout keepAlive keepAliveInitialDelayMillis client_encoding options types enableChannelBinding
  stream log Client Promise verify onConnect`.split(/\s+/),
)

const ownOptionNames: readonly (keyof PgStashOptions)[] = [
  'connectionString',
  'pool',
  'pglite',
  'schema',
  'isolation',
  'maintenance',
  'quota',
  'sweeper',
  'migrate',
  'unlogged',
  'loggedCounters',
  'timeoutMs',
  'onError',
  'maxValueBytes',
  'batch',
  'breaker',
]

/** Of a stash, those of its pool among them. */
export const connectionOptionNames: readonly string[] = [...ownOptionNames, ...poolOptionNames]

/** Two reads and two writes in flight, and one for the sweep, listings and clears. */
const defaultPoolSize = 5

/**
 * Checks everything before anything is opened.
 * @throws {InvalidArgumentError} naming the option
 */
export function resolveOptions(given: string | PgStashOptions): ResolvedOptions {
  const options = optionsOf('options', given)
  const {
    connectionString,
    pool,
    pglite,
    schema,
    unlogged,
    loggedCounters,
    isolation,
    maintenance,
    quota,
    migrate,
    sweeper,
    timeoutMs,
    onError,
    maxValueBytes,
    batch,
    breaker,
    ...poolOptions
  } = options
  assertOneSource({ connectionString, pool, pglite })
  const listed = `${ownOptionNames.join(', ')}, and those of pg.Pool; a store also takes stash, and options of its own`
  assertKnown('options', poolOptions, poolOptionNames, listed)
  assertKnown('batch', batch, batchNames)
  if (breaker !== false) assertKnown('breaker', breaker, breakerNames)
  assertServerAddress(poolOptions)
  const address = connection(connectionString, poolOptions)
  if (pool === undefined && pglite === undefined) assertEnvironment({ ...poolOptions, ...address })
  return Object.freeze({
    pool: pool === undefined ? undefined : assertPool(pool),
    pglite: pglite === undefined ? undefined : assertPglite(pglite),
    poolOptions: {
      max: defaultPoolSize,
      application_name: 'pgstash',
      ...poolOptions,
      ...address,
      ...(poolOptions.ssl === undefined ? {} : { ssl: plainTls(poolOptions.ssl) }),
    },
    schema: schemaName(schema ?? 'pgstash'),
    isUnlogged: bool('unlogged', unlogged, false),
    hasLoggedCounters: bool('loggedCounters', loggedCounters, false),
    isolation: oneOf('isolation', isolation, ['column', 'rls'], 'column'),
    maintenance: maintenanceOf(maintenance, timeoutMs),
    quota: assertQuota(quota),
    autoMigrate: bool('migrate', migrate, true),
    sweepIntervalMs: sweepIntervalOf(sweeper),
    timeoutMs: duration('timeoutMs', timeoutMs, 10_000),
    onError: oneOf('onError', onError, ['throw', 'miss'], 'throw'),
    maxValueBytes: count('maxValueBytes', maxValueBytes, 64 * mebibyte),
    maxRows: count('batch.maxRows', batch?.maxRows, 256),
    maxBytes: count('batch.maxBytes', batch?.maxBytes, 4 * mebibyte),
    breaker: breakerOf(breaker),
  })
}

/** Two connections are enough: one that sweeps, one that counts. */
function maintenanceOf(
  given: PgStashOptions['maintenance'],
  timeoutMs: number | undefined,
): ResolvedOptions['maintenance'] {
  if (given === undefined) return undefined
  return resolveOptions({ max: 2, ...optionsOf('maintenance', given), timeoutMs })
}

/** A `pg.PoolConfig` too, or the options of a pool that is there. */
function optionsOf(field: string, given: string | PgStashOptions): PgStashOptions {
  if (typeof given === 'string') return { connectionString: given }
  assertOptions(field, given)
  return definedOptions(plainOptions(given, connectionOptionNames))
}

const sweeperNames: ReadonlySet<string> = new Set(['intervalMs'])
const batchNames: ReadonlySet<string> = new Set(['maxRows', 'maxBytes'])
const breakerNames: ReadonlySet<string> = new Set(['failures', 'cooldownMs'])

function sweepIntervalOf(sweeper: PgStashOptions['sweeper']): number | null {
  if (sweeper === false) return null
  if (typeof sweeper === 'object' && sweeper !== null) assertKnown('sweeper', sweeper, sweeperNames)
  if (sweeper === undefined || (typeof sweeper === 'object' && sweeper !== null))
    return duration('sweeper.intervalMs', sweeper?.intervalMs, 300_000)
  throw new InvalidArgumentError('sweeper', 'must be an object or false', 'Pass { intervalMs }, or false for none.')
}

function breakerOf(breaker: PgStashOptions['breaker']): ResolvedOptions['breaker'] {
  if (breaker === false) return null
  if (breaker !== undefined && typeof breaker !== 'object') {
    throw new InvalidArgumentError(
      'breaker',
      'must be an object or false',
      'Pass { failures, cooldownMs }, or false for none.',
    )
  }
  return {
    failures: count('breaker.failures', breaker?.failures, 5),
    cooldownMs: duration('breaker.cooldownMs', breaker?.cooldownMs, 1_000),
  }
}

/** DATABASE_URL counts only where no host or database is named otherwise; `pg` itself reads the PG* variables. */
function connection(connectionString: unknown, { host, database }: PgPoolOptions): PgPoolOptions {
  if (connectionString !== undefined) {
    return { connectionString: assertAddress('connectionString', connectionString) }
  }
  const url = host === undefined && database === undefined ? process.env.DATABASE_URL : undefined
  return url ? { connectionString: assertAddress('DATABASE_URL', url) } : {}
}

function assertOneSource(sources: Record<string, unknown>): void {
  const named = Object.keys(sources).filter((name) => sources[name] !== undefined)
  if (named.length > 1) {
    throw new InvalidArgumentError(named.join(' and '), 'exclude each other', 'Pass one of them.')
  }
}

function assertPool(pool: PgPool): PgPool {
  if (typeof pool?.query === 'function' && typeof pool.connect === 'function') return pool
  throw new InvalidArgumentError('pool', 'is no pg.Pool', 'Pass new pg.Pool(…).')
}

function assertPglite(pglite: Pglite): Pglite {
  if (
    typeof pglite?.query === 'function' &&
    typeof pglite.exec === 'function' &&
    typeof pglite.transaction === 'function'
  )
    return pglite
  throw new InvalidArgumentError('pglite', 'is no PGlite', 'Pass await PGlite.create().')
}

function schemaName(schema: unknown): string {
  if (typeof schema === 'string' && /^[a-z_][a-z0-9_$]{0,62}$/i.test(schema) && !/^pg_/i.test(schema)) return schema
  throw new InvalidArgumentError(
    'schema',
    'must be a plain name of at most 63 letters, digits, _ and $, not starting with pg_',
    'For example "pgstash".',
  )
}

function bool(field: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise
  if (typeof value === 'boolean') return value
  throw new InvalidArgumentError(field, 'must be true or false', 'Leave it out for the default.')
}

function count(field: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError(field, 'must be a whole number of at least 1', 'Leave it out for the default.')
}

/** Node's timers count in 32 bits; what does not fit would be over at once. */
function duration(field: string, value: unknown, otherwise: number): number {
  const maxTimerMs = 2 ** 31 - 1
  const ms = count(field, value, otherwise)
  if (ms <= maxTimerMs) return ms
  throw new InvalidArgumentError(field, `must be at most ${maxTimerMs} milliseconds`, 'Leave it out for the default.')
}

function oneOf<T extends string>(field: string, value: unknown, allowed: readonly T[], otherwise: T): T {
  if (value === undefined) return otherwise
  if (allowed.includes(value as T)) return value as T
  throw new InvalidArgumentError(field, `must be one of ${allowed.join(', ')}`, 'Leave it out for the default.')
}
