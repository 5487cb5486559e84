import type { PgStashOptions } from './told'

/** Of `pg.Pool` and `pg.Client`: https://node-postgres.com/apis/pool and /client. Others go into a pool of the caller's. */
export const poolOptionNames: ReadonlySet<string> = new Set(
  `host port user database password ssl sslnegotiation max min idleTimeoutMillis connectionTimeoutMillis maxUses maxLifetimeSeconds
  allowExitOnIdle application_name fallback_application_name statement_timeout query_timeout lock_timeout
  idle_in_transaction_session_timeout keepAlive keepAliveInitialDelayMillis client_encoding options types enableChannelBinding
  stream log Client Promise verify onConnect`.split(/\s+/),
)

export const ownOptionNames: readonly (keyof PgStashOptions)[] = [
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
  'near',
]

/** Of a stash, those of its pool among them. */
export const connectionOptionNames: readonly string[] = [...ownOptionNames, ...poolOptionNames]

export const sweeperNames: ReadonlySet<string> = new Set(['intervalMs'])
export const batchNames: ReadonlySet<string> = new Set(['maxRows', 'maxBytes'])
export const breakerNames: ReadonlySet<string> = new Set(['failures', 'cooldownMs'])
