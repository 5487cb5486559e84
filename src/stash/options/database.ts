import { InvalidArgumentError } from '../../errors'
import type { PgPool, PgPoolOptions } from '../../postgres/wire/pg/driver'
import type { Pglite } from '../../postgres/wire/pglite-driver'
import { assertAddress } from './server-address'

/**
 * DATABASE_URL counts only where no host or database is named otherwise; `pg` itself reads the PG* variables.
 * @throws {InvalidArgumentError} not an address of PostgreSQL
 */
export function addressOf(connectionString: unknown, { host, database }: PgPoolOptions): PgPoolOptions {
  if (connectionString !== undefined) {
    return { connectionString: assertAddress('connectionString', connectionString) }
  }
  const url = host === undefined && database === undefined ? process.env.DATABASE_URL : undefined
  return url ? { connectionString: assertAddress('DATABASE_URL', url) } : {}
}

/** @throws {InvalidArgumentError} more than one of them is given */
export function assertOneSource(sources: Record<string, unknown>): void {
  const named = Object.keys(sources).filter((name) => sources[name] !== undefined)
  if (named.length > 1) {
    throw new InvalidArgumentError(named.join(' and '), 'exclude each other', 'Pass one of them.')
  }
}

/** @throws {InvalidArgumentError} what has not the verbs of a pool */
export function assertPool(pool: PgPool): PgPool {
  if (typeof pool?.query === 'function' && typeof pool.connect === 'function') return pool
  throw new InvalidArgumentError('pool', 'is no pg.Pool', 'Pass new pg.Pool(…).')
}

/** @throws {InvalidArgumentError} what has not the verbs of a PGlite */
export function assertPglite(pglite: Pglite): Pglite {
  if (
    typeof pglite?.query === 'function' &&
    typeof pglite.exec === 'function' &&
    typeof pglite.transaction === 'function'
  )
    return pglite
  throw new InvalidArgumentError('pglite', 'is no PGlite', 'Pass await PGlite.create().')
}
