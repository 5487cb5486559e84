import { namespaceName } from '../../entry/namespace'
import { defaultTenant, resolveTenant, type TenantSource } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import { assertTableName, type TableName } from '../../postgres/wire/statement'
import { storeOptions } from '../held-stash'
import type { PgStashOptions } from '../options/told'
import type { PgStash } from '../pg-stash'
import type { SessionData } from './codec'

/** What {@link Sessions}, and the stores of the hosts, are told. */
export interface SessionsOptions extends Omit<PgStashOptions, 'onError'> {
  /** A stash to share. Default: the connection options among these open one, which `close()` closes. */
  readonly stash?: PgStash | undefined
  /** Whose sessions; a function is asked at every call. Default: the tenant `default`. */
  readonly tenant?: TenantSource | undefined
  /** Keeps the sessions of several applications apart. Default: `session`. */
  readonly namespace?: string | undefined
  /** How long a session lives whose cookie names no expiry, in milliseconds. Default: 86,400,000, a day. */
  readonly ttl?: number | undefined
  /**
   * An expiry that would move on by less, in milliseconds, and by less than half of the session's life, alone is no reason to write. A session may then end that much
   * early. Of `table` it is for `touch` only: every `set` writes. Default: 0, every touch is written.
   */
  readonly touchAfter?: number | undefined
  /** Whose session it is: makes `listByUser` and `destroyByUser` work. Asked at every write. Default: none, sessions belong to nobody. */
  readonly userId?: ((session: SessionData) => string | number | null | undefined) | undefined
  /**
   * `reject`: a write is refused (`VersionConflictError`) if another request changed the session since it was read, and comes to nothing if the session was
   * destroyed meanwhile. What is written under another id than it was read under is a new session; one that expired meanwhile is stored. Default: `allow`, the last write
   * wins, and brings a destroyed session back.
   */
  readonly lostUpdates?: 'allow' | 'reject' | undefined
  /**
   * A table that connect-pg-simple has made, `session` or `schema.session`: nothing has to be migrated, and both may run side by side. It knows neither
   * tenants nor versions. Default: the schema's own.
   */
  readonly table?: string | undefined
}

/** The options with everything decided; `connection` are those that are left, for the stash. */
export interface ResolvedSessionsOptions {
  readonly tenant: TenantSource | undefined
  readonly namespace: string
  readonly ttl: number
  readonly touchAfter: number
  readonly userId: SessionsOptions['userId']
  readonly rejectsLostUpdates: boolean
  readonly table: TableName | undefined
  readonly connection: Omit<PgStashOptions, 'onError'> & { readonly stash?: PgStash | undefined }
}

const sessionsOptionNames = ['tenant', 'namespace', 'ttl', 'touchAfter', 'userId', 'lostUpdates', 'table']

const oneDayMs = 86_400_000

/**
 * Checks everything before anything is opened.
 * @throws {InvalidArgumentError} naming the option
 */
export function resolveSessionsOptions(options: SessionsOptions): ResolvedSessionsOptions {
  const plain = storeOptions(options, sessionsOptionNames)
  const { tenant, namespace, ttl, touchAfter, userId, lostUpdates, table, ...connection } = plain
  if (typeof tenant !== 'function') resolveTenant(tenant)
  if (table !== undefined) assertFitsConnectTable(plain)
  const life = milliseconds('ttl', ttl ?? oneDayMs, 1)
  return {
    tenant,
    namespace: namespaceName(namespace ?? 'session'),
    ttl: life,
    touchAfter: touchAfterOf(touchAfter, life),
    userId: functionOf('userId', userId),
    rejectsLostUpdates: lostUpdatesOf(lostUpdates) === 'reject',
    table: table === undefined ? undefined : tableName(table),
    connection,
  }
}

function touchAfterOf(touchAfter: unknown = 0, ttl: number): number {
  const ms = milliseconds('touchAfter', touchAfter, 0)
  if (ms < ttl) return ms
  throw new InvalidArgumentError('touchAfter', 'must be less than ttl', 'Both are milliseconds; a minute is 60_000.')
}

function tableName(table: unknown): TableName {
  const [first, second, ...rest] = typeof table === 'string' ? table.split('.') : []
  if (!first || second === '' || rest.length > 0) {
    throw new InvalidArgumentError('table', 'must be the name of a table', 'Pass "session" or "schema.session".')
  }
  return assertTableName(second === undefined ? { schema: 'public', table: first } : { schema: first, table: second })
}

function assertFitsConnectTable({ tenant, namespace, lostUpdates }: SessionsOptions): void {
  const [field] = Object.entries({ tenant: tenant ?? defaultTenant, namespace, lostUpdates: lostUpdates ?? 'allow' })
    .filter(([, value]) => value !== undefined && value !== defaultTenant && value !== 'allow')
    .map(([name]) => name)
  if (field === undefined) return
  throw new InvalidArgumentError(field, 'does not go with table', "Leave `table` out: the schema's own knows it.")
}

function lostUpdatesOf(value: unknown = 'allow'): 'allow' | 'reject' {
  if (value === 'allow' || value === 'reject') return value
  throw new InvalidArgumentError('lostUpdates', 'must be allow or reject', 'Leave it out for allow.')
}

function functionOf<T>(field: string, value: T): T {
  if (value === undefined || typeof value === 'function') return value
  throw new InvalidArgumentError(field, 'must be a function', 'Pass (session) => session.user?.id.')
}

function milliseconds(field: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
  throw new InvalidArgumentError(field, 'must be a whole number of milliseconds', `Pass ${least} or more.`)
}
