import type { ClockOffset, ServerFacts, TableFacts } from '../postgres/health'
import type { PoolerFacts } from '../postgres/health-pooler'
import { type Finding, fail, ok, warn } from './doctor-finding'
import { number } from './doctor-quantity'

const oldestServer = 140_000

/** Expiries are the database's, but Keyv's envelopes and the cookies of sessions carry times of the app's clock. */
const largestOffsetMs = 1_000

export function serverVersion({ version, versionNumber, isReplica }: ServerFacts): Finding {
  if (versionNumber < oldestServer) return fail(`PostgreSQL ${version}`, 'Upgrade the server to 14 or later.')
  if (isReplica) return fail(`PostgreSQL ${version}, a replica: nothing can be written`, 'Connect to the primary.')
  return ok(`PostgreSQL ${version}`)
}

const utf8Step = "Make the database anew: create database … encoding 'UTF8' template template0."

export function encoding({ encoding, timeZone }: ServerFacts): Finding {
  if (encoding === 'UTF8') return ok(`UTF8; time zone ${timeZone}, which changes nothing: times are epoch milliseconds`)
  if (encoding === 'SQL_ASCII')
    return warn('the database is in SQL_ASCII: it keeps bytes as they come, and `?` in a pattern is one byte', utf8Step)
  return warn(`the database is in ${encoding}: keys and values outside it are refused`, utf8Step)
}

export function statistics({ tracksCounts, hasAutovacuum }: ServerFacts): Finding {
  if (tracksCounts && hasAutovacuum) return ok('track_counts and autovacuum are on')
  const off = tracksCounts ? 'autovacuum' : 'track_counts'
  return warn(
    `${off} is off: nothing removes dead rows by itself`,
    `Set ${off} = on in postgresql.conf, and reload the server.`,
  )
}

export function clock({ offsetMs, uncertaintyMs }: ClockOffset): Finding {
  const detail = `this machine is ${number(Math.abs(offsetMs))} ms ${offsetMs > 0 ? 'behind' : 'ahead of'} the database`
  if (Math.abs(offsetMs) - uncertaintyMs <= largestOffsetMs) return ok(detail)
  return warn(
    `${detail}: what Keyv keeps in its envelopes expires by this machine's clock`,
    'Let NTP set both clocks (timedatectl set-ntp true).',
  )
}

/** What a pool is to be measured by. */
export interface PoolPlan {
  /** Connections of one process at most; undefined: nobody knows. */
  readonly poolSize: number | undefined
  /** How many of them there are to be; undefined: nobody said. */
  readonly processes: number | undefined
}

/** Of a pool of the caller's what it says of itself, as pg.Pool does; undefined: it says nothing. */
export function poolSizeOf(pool: object): number | undefined {
  const { options } = pool as { options?: { max?: unknown } }
  return typeof options?.max === 'number' ? options.max : undefined
}

export function connections(
  { maxConnections, reservedConnections, usedConnections }: ServerFacts,
  { poolSize = 5, processes }: PoolPlan,
): Finding {
  const usable = maxConnections - reservedConnections
  const room = `${usable} connections for all (${maxConnections} less ${reservedConnections} reserved), ${usedConnections} in use`
  const next = 'Make the pools smaller, raise max_connections, or put a PgBouncer in between.'
  const wanted = poolSize * (processes ?? 1)
  const wish = `${processes ?? 1} × ${poolSize}`
  if (wanted > usable) return fail(`${room}; ${wish} are wanted`, next)
  if (processes !== undefined && wanted > usable * 0.8) return warn(`${room}; ${wish} leave little for others`, next)
  if (usedConnections > usable * 0.9) return warn(`${room}: nearly all`, next)
  return ok(`${room}; room for ${Math.floor(usable / poolSize)} processes with pools of ${poolSize}`)
}

export function pooler({ isBetween, sharesByTransaction, keepsStatements }: PoolerFacts): Finding {
  if (!isBetween) return ok('none: the server answers itself')
  if (sharesByTransaction === undefined)
    return ok('a pooler (PgBouncer or the like) is in between; how it shares connections could not be told')
  if (!sharesByTransaction) return ok('a pooler is in between, in session mode')
  if (keepsStatements === false)
    return warn(
      'a pooler is in between, in transaction mode, and loses prepared statements: they are sent anew at each call, which works, and is slower',
      'Use PgBouncer 1.21 or later with max_prepared_statements = 200.',
    )
  return ok('a pooler is in between, in transaction mode, and keeps prepared statements')
}

/** Unlogged tables are not on replicas. */
export function replicas(count: number, tables: readonly TableFacts[]): Finding {
  const unlogged = tables.filter(({ isUnlogged }) => isUnlogged).map(({ name }) => name)
  const known = count === 0 ? 'no replica is connected' : `${count} connected`
  if (tables.length === 0) return ok(known)
  if (unlogged.length === 0) return ok(`${known}; all tables are logged`)
  if (count === 0) return ok(`${known}; unlogged: ${unlogged.join(', ')}, which a crash empties`)
  if (!unlogged.includes('entry'))
    return ok(`${known}; unlogged: ${unlogged.join(', ')}: a failover forgets rate limits`)
  return warn(
    `${known}, and entry is unlogged: it is on none of them, and a failover empties it`,
    'Make it logged, unless it is a pure cache: README, "What is durable, and what is not".',
  )
}
