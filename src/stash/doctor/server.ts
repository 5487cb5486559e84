import type { ClockOffset, ConnectionLimit, ServerFacts, TableFacts } from '../../postgres/doctor/health'
import type { PoolerFacts } from '../../postgres/doctor/pooler'
import { oldestServer } from '../../postgres/schema/migrator'
import { type Finding, fail, ok, unknown, warn } from './finding'
import { number } from './quantity'

/** Expiries are the database's, but Keyv's envelopes and the cookies of sessions carry times of the app's clock. */
const largestOffsetMs = 1_000

export function serverVersion(facts: ServerFacts): Finding {
  const { version, versionNumber, isReplica, isReadOnly, defaultIsolation } = facts
  if (versionNumber < oldestServer) return fail(`PostgreSQL ${version}`, 'Upgrade the server to 14 or later.')
  if (isReplica)
    return fail(
      `PostgreSQL ${version}, a replica: nothing can be written`,
      'Connect to the primary, unless all that this application does is read.',
    )
  if (isReadOnly)
    return fail(
      `PostgreSQL ${version}, read-only for this role and database: nothing can be written`,
      'Look for default_transaction_read_only: in postgresql.conf, alter database, alter role.',
    )
  if (defaultIsolation === 'read committed') return ok(`PostgreSQL ${version}`)
  return ok(`PostgreSQL ${version}; its default isolation is ${defaultIsolation}: each statement says read committed`)
}

const utf8Step = "Make the database anew: create database … encoding 'UTF8' template template0."

export function encoding({ encoding, timeZone }: ServerFacts): Finding {
  if (encoding === 'UTF8') return ok(`UTF8; time zone ${timeZone}, which changes nothing: times are epoch milliseconds`)
  if (encoding === 'SQL_ASCII')
    return warn('the database is in SQL_ASCII: it keeps bytes as they come, and `?` in a pattern is one byte', utf8Step)
  return warn(`the database is in ${encoding}: keys and values outside it are refused`, utf8Step)
}

export function statistics({ tracksCounts, hasAutovacuum }: ServerFacts, tables: readonly TableFacts[]): Finding {
  const off = tracksCounts ? 'autovacuum' : 'track_counts'
  if (!tracksCounts || !hasAutovacuum)
    return warn(
      `${off} is off: nothing removes dead rows by itself`,
      `Set ${off} = on in postgresql.conf, and reload the server.`,
    )
  const left = tables.filter((table) => !table.hasAutovacuum).map(({ name }) => name)
  if (left.length === 0) return ok('track_counts and autovacuum are on')
  return warn(
    `autovacuum is off for ${left.join(', ')}: nothing removes dead rows there by itself`,
    'Reset the storage parameter autovacuum_enabled of the table, as its owner.',
  )
}

export function clock({ offsetMs, uncertaintyMs }: ClockOffset): Finding {
  const detail = `this machine is ${number(Math.abs(offsetMs))} ms ${offsetMs > 0 ? 'behind' : 'ahead of'} the database`
  if (Math.abs(offsetMs) + uncertaintyMs <= largestOffsetMs) return ok(detail)
  if (Math.abs(offsetMs) - uncertaintyMs <= largestOffsetMs)
    return unknown(`${detail}, give or take ${number(Math.ceil(uncertaintyMs))} ms: the answer took too long to tell`)
  return warn(
    `${detail}: what Keyv keeps in its envelopes expires by this machine's clock`,
    'Let NTP set both clocks (timedatectl set-ntp true).',
  )
}

/** What a pool is to be measured by. */
export interface PoolPlan {
  /** Connections of one process at most; undefined: nobody knows. */
  readonly poolSize: number | undefined
  /** The same of `maintenance`; 0: there is none. */
  readonly maintenanceSize: number
  /** Whether a process that holds something near listens for the bell, on a connection more. */
  readonly listens: boolean
  /** How many of them there are to be; undefined: nobody said. */
  readonly processes: number | undefined
}

/** Of a pool of the caller's what it says of itself, as pg.Pool does; undefined: it says nothing. */
export function poolSizeOf(pool: object): number | undefined {
  const { options } = pool as { options?: { max?: unknown } }
  return typeof options?.max === 'number' ? options.max : undefined
}

const roomier = {
  server: 'Make the pools smaller, raise max_connections, or put a PgBouncer in between.',
  database: 'Make the pools smaller, or raise it: alter database … connection limit …',
  role: 'Make the pools smaller, or raise it: alter role … connection limit …',
} as const

/**
 * The narrowest of all limits counts.
 * @param limits of the application's role, and of that of `maintenance`
 * @param isPooled a pooler shares the server's connections among its clients
 */
export function connections(
  limits: { readonly app: readonly ConnectionLimit[]; readonly maintenance: readonly ConnectionLimit[] },
  { poolSize = 5, maintenanceSize, listens, processes }: PoolPlan,
  isPooled: boolean,
): Finding {
  const ofApp = poolSize + (listens ? 1 : 0)
  const each = ofApp + maintenanceSize
  const all = [
    ...limits.app.map((limit) => ({ limit, each: limit.kind === 'role' ? ofApp : each })),
    ...limits.maintenance.filter(({ kind }) => kind === 'role').map((limit) => ({ limit, each: maintenanceSize })),
  ]
  const findings = all.map((one) => within(one.limit, one.each, processes, isPooled))
  const worst = findings.find(({ status }) => status === 'fail') ?? findings.find(({ status }) => status === 'warn')
  if (worst !== undefined) return worst
  const room = all.map(({ limit }) => told(limit)).join('; ')
  if (isPooled) return ok(`${room}. How many clients the pooler takes is its own matter: max_client_conn, pool_size`)
  const most = Math.min(...all.map((one) => Math.floor(roomIn(one.limit) / Math.max(1, one.each))))
  const pools = maintenanceSize > 0 ? `${poolSize} and ${maintenanceSize}` : poolSize
  return ok(
    `${room}; room for ${most} processes with pools of ${pools}${listens ? ', and the connection that listens for what is held near' : ''}`,
  )
}

function within(limit: ConnectionLimit, each: number, processes: number | undefined, isPooled: boolean): Finding {
  const { kind, most, used } = limit
  const wanted = each * (processes ?? 1)
  const wish = `${processes ?? 1} × ${each}`
  const next = isPooled ? `Make the pooler's own pools smaller, or raise the limit.` : roomier[kind]
  if (!isPooled && wanted > most) return fail(`${told(limit)}; ${wish} are wanted`, next)
  if (!isPooled && wanted > roomIn(limit))
    return warn(`${told(limit)}, ${limit.others} of them by other roles; ${wish} are wanted`, next)
  if (!isPooled && processes !== undefined && wanted > most * 0.8)
    return warn(`${told(limit)}; ${wish} leave little for others`, next)
  if (used > most * 0.9) return warn(`${told(limit)}: nearly all`, next)
  return ok(told(limit))
}

function roomIn({ most, others }: ConnectionLimit): number {
  return Math.max(0, most - others)
}

function told({ kind, name, most, used }: ConnectionLimit): string {
  return `${most} connections ${kind === 'server' ? 'for all, without those reserved' : `for the ${kind} ${name}`}, ${used} in use`
}

/** PGlite. */
export function embedded({ processes = 1 }: PoolPlan): Finding {
  if (processes > 1)
    return fail(`PGlite serves the process it runs in; ${processes} are wanted`, 'Use a server for more than one.')
  return ok('PGlite has one, in this process')
}

/** @param found undefined: it could not be told */
export function pooler(found: PoolerFacts | Error | undefined): Finding {
  if (found === undefined) return unknown('the clients of this pool tell no process id: there may be one')
  if (found instanceof Error) return unknown(`it could not be looked for: ${found.message}`)
  const { isBetween, mode, keepsStatements } = found
  if (!isBetween) return ok('none: the server answers itself')
  if (mode === undefined)
    return ok('a pooler (PgBouncer or the like) is in between; how it shares connections could not be told')
  if (mode === 'statement')
    return fail(
      'a pooler is in between, in statement mode, in which no transaction can be opened: migrations and maintenance fail',
      'Set pool_mode = transaction for this database.',
    )
  if (mode === 'session') return ok('a pooler is in between, in session mode')
  if (keepsStatements === false)
    return warn(
      'a pooler is in between, in transaction mode, and loses prepared statements: they are sent anew at each call, which works, and is slower',
      'Use PgBouncer 1.21 or later with max_prepared_statements = 200.',
    )
  if (keepsStatements === undefined) return ok('a pooler is in between, in transaction mode')
  return ok('a pooler is in between, in transaction mode, and keeps prepared statements')
}

/** Unlogged tables are not on replicas. */
export function replicas(count: number, tables: readonly TableFacts[]): Finding {
  const unlogged = tables.filter(({ isUnlogged }) => isUnlogged).map(({ name }) => name)
  const known = count === 0 ? 'no replica is connected' : `${count} connected`
  if (tables.length === 0) return ok(known)
  if (unlogged.length === 0) return ok(`${known}; all tables are logged`)
  const kept = unlogged.filter((name) => name === 'session' || name === 'namespace')
  if (kept.length > 0)
    return warn(
      `${known}; unlogged, and emptied by a crash or a failover: ${kept.join(', ')}`,
      `Set them logged. Without session everybody is logged out; without namespace what was cleared comes back.`,
    )
  if (count === 0) return ok(`${known}; unlogged: ${unlogged.join(', ')}, which a crash empties`)
  if (!unlogged.includes('entry'))
    return ok(`${known}; unlogged: ${unlogged.join(', ')}: a failover forgets rate limits`)
  return warn(
    `${known}, and entry is unlogged: it is on none of them, and a failover empties it`,
    'Make it logged, unless it is a pure cache: docs/guide/durability.md, "Unlogged tables".',
  )
}
