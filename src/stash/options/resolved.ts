import { assertKnown } from '../../entry/known-options'
import { InvalidArgumentError } from '../../errors'
import type { Isolation } from '../../postgres/schema/migrator'
import type { PgPool, PgPoolOptions } from '../../postgres/wire/pg/driver'
import type { Pglite } from '../../postgres/wire/pglite-driver'
import { assertQuota, type QuotaSource } from '../upkeep/quota'
import { addressOf, assertOneSource, assertPglite, assertPool } from './database'
import { definedOptions, plainOptions, plainTls } from './given'
import { assertOptions } from './mistaken'
import { batchNames, breakerNames, connectionOptionNames, ownOptionNames, poolOptionNames, sweeperNames } from './names'
import { type ResolvedNearSettings, resolveNearSettings } from './near'
import { assertEnvironment, assertOneTls, assertServerAddress } from './server-address'
import type { OnError, PgStashOptions } from './told'
import { bool, count, duration, oneOf, schemaName } from './values'

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
  readonly near: ResolvedNearSettings
}

const mebibyte = 1024 * 1024

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
    near,
    ...poolOptions
  } = options
  assertOneSource({ connectionString, pool, pglite })
  const listed = `${ownOptionNames.join(', ')}, and those of pg.Pool; a store also takes stash, and options of its own`
  assertKnown('options', poolOptions, poolOptionNames, listed)
  assertKnown('batch', batch, batchNames)
  if (breaker !== false) assertKnown('breaker', breaker, breakerNames)
  assertServerAddress(poolOptions)
  const address = addressOf(connectionString, poolOptions)
  if (pool === undefined && pglite === undefined) {
    assertOneTls({ ...poolOptions, ...address })
    assertEnvironment({ ...poolOptions, ...address })
  }
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
    near: resolveNearSettings(near),
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
