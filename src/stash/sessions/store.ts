import { type Address, addressOf } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import { indexKey, storedKey } from '../../entry/key'
import { assertKnown } from '../../entry/known-options'
import { assertList } from '../../entry/list'
import { assertStorable, resolveTenant } from '../../entry/tenant'
import { InvalidArgumentError, VersionConflictError } from '../../errors'
import { ConnectSessionTable } from '../../postgres/sessions/connect-table'
import { OwnSessionTable } from '../../postgres/sessions/own-table'
import type { SessionTable, SessionWrite, StoredSession, UserSessionTable } from '../../postgres/sessions/table'
import { holdStash } from '../held-stash'
import type { PgStash } from '../pg-stash'
import { assertSession, decodeSession, encodeCookie, encodeData, lifeOf, type SessionData } from './codec'
import { type ResolvedSessionsOptions, resolveSessionsOptions, type SessionsOptions } from './options'
import { originField, originOf, rememberRead, rememberWritten, SessionOrigin } from './origin'

export type { SessionData, SessionsOptions }

/** A session with its id, as listings answer it. */
export type ListedSession = SessionData & {
  /** The id that its cookie carries. */
  readonly id: string
}

/** Of `destroyByUser`. */
export interface DestroyByUserOptions extends CallOptions {
  /** The ids that stay: that of the request, to log out everywhere else. Default: none stays. */
  readonly except?: string | readonly string[] | undefined
}

/** Room in the index beside the tenant and the namespace. */
export const maxUserIdBytes = 1_024

/**
 * With `lostUpdates: 'reject'` the sweep spares expired sessions for so long: a request that was under way may still save one, and what is not there was destroyed.
 * replace_sessions() has the same number.
 */
const keptMs = 3_600_000

/**
 * Sessions of web applications, below the stores of their hosts. Expiries are kept by the database's clock; what has expired is not returned, from
 * that millisecond on.
 */
export class Sessions {
  readonly #stash: PgStash
  readonly #release: () => Promise<void>
  readonly #options: ResolvedSessionsOptions
  readonly #connectTable: SessionTable | undefined

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: SessionsOptions = {}) {
    this.#options = resolveSessionsOptions(options)
    const { stash, release } = holdStash(this.#options.connection)
    this.#stash = stash
    this.#release = release
    const { table } = this.#options
    this.#connectTable = table && stash.connectTable(table, ConnectSessionTable)
  }

  /** The session, with `cookie.expires` as it stands; undefined: none, or expired. */
  async get(id: string, options?: CallOptions): Promise<SessionData | undefined> {
    const { table, address } = this.#place()
    const stored = await table.read(address, this.#keyOf(id), options)
    if (stored === undefined) return undefined
    return this.#decode(address, id, stored)
  }

  /**
   * Makes or replaces a session. Where its data is stored already, only the expiry moves, and that only by `touchAfter` or more.
   * @throws {VersionConflictError} with `lostUpdates: 'reject'`: both it and what is stored were changed since it was read
   */
  async set(id: string, session: SessionData, options?: CallOptions): Promise<void> {
    const { table, address, own } = this.#place()
    const write = this.#write(id, session, own !== undefined)
    if (own === undefined || !this.#options.rejectsLostUpdates) return void (await table.write(address, write, options))
    const place = placeOf(address, id)
    const origin = originOf(session, this.#stash, place)
    if (origin !== undefined) return this.#replace(own, address, write, origin, options)
    const version = await own.write(address, write, options)
    if (version === undefined) return
    rememberWritten(session, new SessionOrigin(this.#stash, place, { version, data: write.data }))
  }

  /** Moves the expiry to that of the session's cookie. Its data is not written, and a session that is gone stays gone. */
  async touch(id: string, session: SessionData, options?: CallOptions): Promise<void> {
    const { table, address } = this.#place()
    const cookie = encodeCookie(assertSession(session), this.#stash.maxValueBytes)
    await table.touch(address, { key: this.#keyOf(id), cookie, ...this.#expiryOf(session) }, options)
  }

  /** Whether there was one. */
  async destroy(id: string, options?: CallOptions): Promise<boolean> {
    const { table, address } = this.#place()
    const [isDestroyed] = await table.delete(address, [this.#keyOf(id)], options)
    return isDestroyed as boolean
  }

  /** All of the tenant and namespace that have not expired, each with its id. */
  async all(options?: CallOptions): Promise<ListedSession[]> {
    const sessions: ListedSession[] = []
    const { table, address } = this.#place()
    for await (const stored of table.list(address, options)) {
      const session = this.#listed(address, stored)
      if (session !== undefined) sessions.push(session)
    }
    return sessions
  }

  /** Their ids. */
  async ids(options?: CallOptions): Promise<string[]> {
    const ids: string[] = []
    const { table, address } = this.#place()
    for await (const { id } of table.list(address, options)) ids.push(id)
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
      return (await own.ofUser(address, user, options))
        .map((stored) => this.#listed(address, stored))
        .filter((session) => session !== undefined)
    return (await this.all(options)).filter((session) => userIdOf(this.#options.userId, session) === user)
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

  /** Closes the stash if it was opened for stores, and this is the last of them. */
  close(): Promise<void> {
    return this.#release()
  }

  /** The tenant is asked first: without one, nothing is looked at. */
  #place(): { table: SessionTable; own: UserSessionTable | undefined; address: Address } {
    const tenant = resolveTenant(this.#options.tenant)
    const address = addressOf(tenant, this.#options.namespace, 'session')
    if (this.#connectTable !== undefined) return { table: this.#connectTable, own: undefined, address }
    const own = this.#stash.tenant(tenant).tables.of(OwnSessionTable)
    return { table: own, own, address }
  }

  /** connect-pg-simple's table has no place for a digest. */
  #keyOf(id: string): string {
    if (this.#connectTable === undefined) return indexKey(id)
    return storedKey(id).longKey === null ? id : tooLong()
  }

  #write(id: string, session: SessionData, isOwn: boolean): SessionWrite {
    const { maxValueBytes } = this.#stash
    const { longKey } = storedKey(id)
    const isKept = isOwn && this.#options.rejectsLostUpdates
    const without = [...(isOwn ? ['cookie'] : []), ...(isKept ? [originField] : [])]
    return {
      key: this.#keyOf(id),
      longKey,
      userId: userIdOf(this.#options.userId, assertSession(session)),
      data: encodeData(session, without, maxValueBytes),
      cookie: isOwn ? encodeCookie(session, maxValueBytes) : null,
      keptMs: isKept ? keptMs : 0,
      ...this.#expiryOf(session),
    }
  }

  /** However long `touchAfter` is: who is there in time keeps at least half of the session's life. */
  #expiryOf(session: SessionData): Pick<SessionWrite, 'ttl' | 'touchAfter'> {
    const ttl = lifeOf(session) ?? this.#options.ttl
    return { ttl, touchAfter: Math.min(this.#options.touchAfter, Math.floor(ttl / 2)) }
  }

  async #replace(
    table: UserSessionTable,
    address: Address,
    write: SessionWrite,
    origin: SessionOrigin,
    options?: CallOptions,
  ): Promise<void> {
    const { isSet, version } = await table.replace(address, write, origin, options)
    // Gone: who logged out meanwhile is not brought back, and there is nothing left that could be lost.
    if (isSet || version === undefined) return
    if (!origin.isUnchanged(write.data)) throw new VersionConflictError(origin.version, version)
    // Whoever changed nothing undoes nothing, and has been here all the same.
    await table.touch(address, write, options)
  }

  #decode(address: Address, id: string, stored: StoredSession): SessionData | undefined {
    const session = decodeSession(stored)
    if (session !== undefined && this.#options.rejectsLostUpdates)
      rememberRead(session, new SessionOrigin(this.#stash, placeOf(address, id), stored))
    return session
  }

  /** undefined: the row holds no session. */
  #listed(address: Address, stored: StoredSession): ListedSession | undefined {
    const session = this.#decode(address, stored.id, stored)
    return session && { ...session, id: stored.id }
  }

  #assertUser(userId: unknown): string {
    if (this.#options.userId === undefined) {
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
  if (Array.isArray(except)) return assertList('except', except)
  throw new InvalidArgumentError(
    'except',
    'must be an id or an array of ids',
    'Pass the id of the request: req.sessionID.',
  )
}

/** No name holds a NUL, and an id none either. */
const placeOf = (address: Address, id: string): string => `${address.id}\0${id}`

function userIdOf(source: ResolvedSessionsOptions['userId'], session: SessionData): string | null {
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

function tooLong(): never {
  throw new InvalidArgumentError('id', 'is too long', 'Pass 1,024 bytes at most.')
}
