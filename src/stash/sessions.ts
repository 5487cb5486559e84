import { indexKey, storedKey } from '../entry/key'
import { assertList } from '../entry/list'
import { namespaceName } from '../entry/namespace'
import { assertStorable, defaultTenant, resolveTenant, type TenantSource } from '../entry/tenant'
import { InvalidArgumentError, VersionConflictError } from '../errors'
import { type Address, addressOf } from '../postgres/address'
import type { CallOptions } from '../postgres/call'
import type { SessionTable, SessionWrite, StoredSession, UserSessionTable } from '../postgres/session-table'
import { assertTableName, type TableName } from '../postgres/statement'
import { assertKnown } from './known-options'
import type { PgStashOptions } from './options'
import { assertStoreOptions, holdStash, type PgStash } from './pg-stash'
import { assertSession, decodeSession, encodeCookie, encodeData, lifeOf, type SessionData } from './session-codec'

export type { SessionData }

/** A session with its id, as listings answer it. */
export type ListedSession = SessionData & { readonly id: string }

export interface SessionsOptions extends Omit<PgStashOptions, 'onError'> {
  /** A stash to share; otherwise the connection options among these open one, which `close()` closes. */
  readonly stash?: PgStash | undefined
  /** Whose sessions; a function is asked at every call. Default: the tenant `default`. */
  readonly tenant?: TenantSource | undefined
  /** Keeps the sessions of several applications apart. Default: `session`. */
  readonly namespace?: string | undefined
  /** How long a session lives whose cookie names no expiry, in milliseconds. Default: 86,400,000, a day. */
  readonly ttl?: number | undefined
  /**
   * An expiry that would move by less, in milliseconds, alone is no reason to write. A session may then end so much early; keep it far below its
   * life. Default: 0, every touch is written.
   */
  readonly touchAfter?: number | undefined
  /** Whose session it is: makes `listByUser` and `destroyByUser` work. Asked at every write. */
  readonly userId?: ((session: SessionData) => string | number | null | undefined) | undefined
  /**
   * `reject`: a write is refused (`VersionConflictError`) if another request changed the session since it was read, and comes to nothing if the session was
   * destroyed meanwhile. To know, `get` puts a property `_version` on the session, which is not stored. Default: `allow`, the last write wins, and brings a
   * destroyed session back.
   */
  readonly lostUpdates?: 'allow' | 'reject' | undefined
  /**
   * A table that connect-pg-simple has made, `session` or `schema.session`, instead of the schema's own: nothing has to be migrated, and both may run side by
   * side. It knows neither tenants nor versions.
   */
  readonly table?: string | undefined
}

/** Of `destroyByUser`. */
export interface DestroyByUserOptions extends CallOptions {
  /** The ids that stay: that of the request, to log out everywhere else. */
  readonly except?: string | readonly string[] | undefined
}

const oneDayMs = 86_400_000

/** Room in the index beside the tenant and the namespace. */
const maxUserIdBytes = 1_024

/** Never stored. */
const versionField = '_version'

/**
 * Sessions of web applications, below the stores of their hosts. Expiries are kept by the database's clock; what has expired is not returned, from
 * that millisecond on.
 */
export class Sessions {
  readonly #stash: PgStash
  readonly #isOwned: boolean
  readonly #tenant: TenantSource | undefined
  readonly #namespace: string
  readonly #ttl: number
  readonly #touchAfter: number
  readonly #userId: SessionsOptions['userId']
  readonly #rejectsLostUpdates: boolean
  readonly #connectTable: SessionTable | undefined
  /** The version of what was read or written, where the same object is written again. */
  readonly #versions = new WeakMap<object, number>()

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: SessionsOptions = {}) {
    assertStoreOptions(options)
    const { tenant, namespace, ttl, touchAfter, userId, lostUpdates, table, ...connection } = options
    this.#namespace = namespaceName(namespace ?? 'session')
    this.#ttl = milliseconds('ttl', ttl ?? oneDayMs, 1)
    this.#touchAfter = milliseconds('touchAfter', touchAfter ?? 0, 0)
    if (this.#touchAfter >= this.#ttl) {
      throw new InvalidArgumentError(
        'touchAfter',
        'must be less than ttl',
        'Both are milliseconds; a minute is 60_000.',
      )
    }
    this.#userId = functionOf('userId', userId)
    this.#rejectsLostUpdates = lostUpdatesOf(lostUpdates) === 'reject'
    this.#tenant = tenant
    if (typeof tenant !== 'function') resolveTenant(tenant)
    if (table !== undefined) assertFitsConnectTable(options)
    const name = table === undefined ? undefined : tableName(table)
    const { stash, isOwned } = holdStash(connection)
    this.#stash = stash
    this.#isOwned = isOwned
    this.#connectTable = name === undefined ? undefined : stash.connectTable(name)
  }

  /** The session, with `cookie.expires` as it stands; undefined: none, or expired. */
  async get(id: string, options?: CallOptions): Promise<SessionData | undefined> {
    const { table, address } = this.#place()
    const stored = await table.read(address, this.#keyOf(id), options)
    if (stored === undefined) return undefined
    const session = decodeSession(stored)
    if (session !== undefined && this.#rejectsLostUpdates) session[versionField] = stored.version
    return session
  }

  /**
   * Makes or replaces a session. Where its data is stored already, only the expiry moves, and that only by `touchAfter` or more.
   * @throws {VersionConflictError} with `lostUpdates: 'reject'`: it was changed since it was read
   */
  async set(id: string, session: SessionData, options?: CallOptions): Promise<void> {
    const { table, address, own } = this.#place()
    const write = this.#write(id, session, own !== undefined)
    const expected = this.#rejectsLostUpdates ? this.#versionOf(session) : undefined
    const version =
      expected === undefined || own === undefined
        ? await table.write(address, write, options)
        : await this.#replace(own, address, write, expected, options)
    if (this.#rejectsLostUpdates && version !== undefined) this.#versions.set(session, version)
  }

  /** Moves the expiry to that of the session's cookie. Its data is not written, and a session that is gone stays gone. */
  async touch(id: string, session: SessionData, options?: CallOptions): Promise<void> {
    const { table, address } = this.#place()
    const cookie = encodeCookie(assertSession(session), this.#stash.maxValueBytes)
    const touch = { key: this.#keyOf(id), cookie, ttl: lifeOf(session) ?? this.#ttl, touchAfter: this.#touchAfter }
    await table.touch(address, touch, options)
  }

  /** Whether there was one. */
  async destroy(id: string, options?: CallOptions): Promise<boolean> {
    const { table, address } = this.#place()
    const [isDestroyed] = await table.delete(address, [this.#keyOf(id)], options)
    return isDestroyed as boolean
  }

  async all(options?: CallOptions): Promise<ListedSession[]> {
    const sessions: ListedSession[] = []
    for await (const stored of this.#list(options)) {
      const session = listed(stored)
      if (session !== undefined) sessions.push(session)
    }
    return sessions
  }

  async ids(options?: CallOptions): Promise<string[]> {
    const ids: string[] = []
    for await (const { id } of this.#list(options)) ids.push(id)
    return ids
  }

  /** How many there are. */
  async length(options?: CallOptions): Promise<number> {
    const { table, address } = this.#place()
    return table.count(address, options)
  }

  /** Destroys all of the tenant and namespace. */
  async clear(options?: CallOptions): Promise<void> {
    const { table, address } = this.#place()
    await table.clear(address, options)
  }

  /** The sessions of a user, by what `userId` said when they were written. */
  async listByUser(userId: string | number, options?: CallOptions): Promise<ListedSession[]> {
    const { own, address } = this.#place()
    const user = this.#assertUser(userId)
    if (own !== undefined)
      return (await own.ofUser(address, user, options)).map(listed).filter((session) => session !== undefined)
    return (await this.all(options)).filter((session) => userIdOf(this.#userId, session) === user)
  }

  /** Destroys the sessions of a user, but those excepted; answers how many. */
  async destroyByUser(userId: string | number, given: DestroyByUserOptions = {}): Promise<number> {
    assertKnown('options', given, destroyOptionNames)
    const { table, own, address } = this.#place()
    const user = this.#assertUser(userId)
    const kept = exceptedBy(given).map((id) => this.#keyOf(id))
    const options = { signal: given.signal }
    if (own !== undefined) return own.deleteOfUser(address, user, kept, options)
    const ids = (await this.listByUser(userId, options)).map(({ id }) => id).filter((id) => !kept.includes(id))
    return (await table.delete(address, ids, options)).filter(Boolean).length
  }

  /** Closes the stash if these sessions opened it. */
  async close(): Promise<void> {
    if (this.#isOwned) await this.#stash.close()
  }

  #list(options?: CallOptions): AsyncGenerator<StoredSession, void> {
    const { table, address } = this.#place()
    return table.list(address, options)
  }

  /** The tenant is asked first: without one, nothing is looked at. */
  #place(): { table: SessionTable; own: UserSessionTable | undefined; address: Address } {
    const tenant = resolveTenant(this.#tenant)
    const address = addressOf(tenant, this.#namespace, 'session')
    if (this.#connectTable !== undefined) return { table: this.#connectTable, own: undefined, address }
    const own = this.#stash.tenant(tenant).tables.sessions
    return { table: own, own, address }
  }

  /** connect-pg-simple's table has no place for a digest. */
  #keyOf(id: string): string {
    return this.#connectTable === undefined ? indexKey(id) : storedKey(id).longKey === null ? id : tooLong()
  }

  #write(id: string, session: SessionData, isOwn: boolean): SessionWrite {
    const { maxValueBytes } = this.#stash
    const { longKey } = storedKey(id)
    const without = [...(isOwn ? ['cookie'] : []), ...(this.#rejectsLostUpdates ? [versionField] : [])]
    return {
      key: this.#keyOf(id),
      longKey,
      userId: userIdOf(this.#userId, assertSession(session)),
      data: encodeData(session, without, maxValueBytes),
      cookie: isOwn ? encodeCookie(session, maxValueBytes) : null,
      ttl: lifeOf(session) ?? this.#ttl,
      touchAfter: this.#touchAfter,
    }
  }

  async #replace(
    table: UserSessionTable,
    address: Address,
    write: SessionWrite,
    expected: number,
    options?: CallOptions,
  ): Promise<number | undefined> {
    const { isSet, version } = await table.replace(address, write, expected, options)
    // Gone: who logged out meanwhile is not brought back, and there is nothing left that could be lost.
    if (isSet || version === undefined) return version
    throw new VersionConflictError(expected, version)
  }

  #versionOf(session: SessionData): number | undefined {
    return this.#versions.get(session) ?? versionIn(session)
  }

  #assertUser(userId: unknown): string {
    if (this.#userId === undefined) {
      throw new InvalidArgumentError(
        'userId',
        'was not given, so nobody knows whose the sessions are',
        'Pass userId: (session) => … to the store.',
      )
    }
    return userName(userId)
  }
}

const destroyOptionNames: ReadonlySet<string> = new Set(['except', 'signal'])

/** `except: undefined` is somebody's missing id: nobody is to be logged out by it. */
function exceptedBy(options: DestroyByUserOptions): readonly string[] {
  if (!('except' in options)) return []
  const { except } = options
  if (typeof except === 'string') return [except]
  return assertList('except', except as readonly string[])
}

/** undefined: the row holds no session. */
function listed(stored: StoredSession): ListedSession | undefined {
  const session = decodeSession(stored)
  return session && { ...session, id: stored.id }
}

/** What is no version cannot be compared with one; and the session is not to be written as if nothing could be lost. */
function versionIn({ [versionField]: version }: SessionData): number | undefined {
  if (version === undefined || (Number.isSafeInteger(version) && (version as number) >= 1)) {
    return version as number | undefined
  }
  throw new InvalidArgumentError(
    versionField,
    'must be what get() put there',
    'Leave it as it is, or delete it to overwrite whatever is stored.',
  )
}

function userIdOf(source: SessionsOptions['userId'], session: SessionData): string | null {
  const userId = source?.(session)
  return userId === undefined || userId === null ? null : userName(userId)
}

function userName(userId: unknown): string {
  const name = typeof userId === 'number' && Number.isFinite(userId) ? String(userId) : userId
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(
      'userId',
      'must be a non-empty string or a number',
      'The option userId answers it at once, without a promise, or undefined for nobody.',
    )
  }
  assertStorable('userId', name, maxUserIdBytes)
  return name
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

function tooLong(): never {
  throw new InvalidArgumentError('id', 'is too long', 'Pass 1,024 bytes at most.')
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
