import { storedKey } from '../../entry/key'
import { assertStorable } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import type { PgStash } from '../pg-stash'
import { encodeCookie, encodeData, lifeOf, longestMs, type SessionData } from '../sessions/codec'
import { maxUserIdBytes, Sessions, type SessionsOptions } from '../sessions/store'
import { fidelityOf } from './json'
import { type ImportedEntry, type ImportTarget, type Outcome, unlessUnfit, type WriteMode } from './target'
import { parsedJson, textOf } from './value'

export interface SessionPlace extends WriteMode {
  readonly tenant: string
  readonly namespace: string
  /** Where a session names its user, from field to field: `passport.user`. Default: nowhere. */
  readonly userField?: string | undefined
}

type User = string | number | null | undefined

/**
 * Sessions as connect-redis has them, under express-session or @fastify/session: JSON with a cookie, under the id. It touches a session by the key's expiry alone,
 * so the cookie's is that of the last write, and the key's is what counts.
 */
export class SessionTarget implements ImportTarget {
  readonly #stash: PgStash
  readonly #place: SessionPlace
  readonly #options: SessionsOptions
  readonly #sessions: Sessions

  /** @throws {InvalidArgumentError} a name that will not do */
  constructor(stash: PgStash, place: SessionPlace) {
    const { tenant, namespace, userField } = place
    const userId = userField === undefined ? undefined : (session: SessionData) => fieldOf(session, userField) as User
    this.#stash = stash
    this.#place = place
    this.#options = { stash, tenant, namespace, userId }
    this.#sessions = new Sessions(this.#options)
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#sessions.length()) === 0
  }

  async has(id: string): Promise<boolean> {
    return (await this.#sessions.get(id)) !== undefined
  }

  write(entry: ImportedEntry): Promise<Outcome> {
    return unlessUnfit(() => this.#write(entry))
  }

  async #write({ key: id, stored, ttl: left }: ImportedEntry): Promise<Outcome> {
    const text = textOf(stored)
    const session = text === undefined ? undefined : sessionIn(text)
    if (text === undefined || session === undefined) return { outcome: 'no-session' }
    const fidelity = fidelityOf(text)
    if (fidelity === 'none') return { outcome: 'value-unfit' }
    const ttl = left ?? lifeOf(session)
    if (ttl === 0) return { outcome: 'expired' }
    const user = assertUser(this.#options.userId?.(session) ?? undefined)
    const notices = [
      fidelity === 'inexact' ? fidelity : undefined,
      user === undefined ? undefined : 'withUser',
    ] as const
    if (this.#place.ifAbsent && !this.#place.dryRun && (await this.has(id))) return { outcome: 'present' }
    await this.#set(id, session, ttl)
    return { outcome: 'written', notices }
  }

  /** A cookie without an expiry keeps none; the session has one all the same. */
  async #set(id: string, session: SessionData, ttl: number | undefined): Promise<void> {
    const dated = ttl === undefined || lifeOf(session) === undefined ? session : endingIn(session, ttl)
    if (this.#place.dryRun) return rehearse(id, dated, this.#stash.maxValueBytes)
    // Of a cookie without an expiry the option says how long; a set of sessions costs nothing to make.
    const sessions =
      ttl === undefined ? this.#sessions : new Sessions({ ...this.#options, ttl: Math.min(Math.ceil(ttl), longestMs) })
    await sessions.set(id, dated)
  }
}

function sessionIn(text: string): SessionData | undefined {
  const session = parsedJson(text)?.value
  return isObject(session) && isObject(session.cookie) ? session : undefined
}

function endingIn(session: SessionData, ttl: number): SessionData {
  return { ...session, cookie: { ...session.cookie, expires: new Date(Date.now() + ttl).toISOString() } }
}

/** A field that is there and names nobody is no user: the session could not be ended with the others. @throws {InvalidArgumentError} */
function assertUser(user: unknown): User {
  if (user === undefined) return undefined
  if (!Number.isFinite(user) && (typeof user !== 'string' || user === ''))
    throw new InvalidArgumentError('userId', 'must be a non-empty string or a number', 'Name the field of its id.')
  assertStorable('userId', String(user), maxUserIdBytes)
  return user as User
}

/** What a write would refuse. */
function rehearse(id: string, session: SessionData, maxValueBytes: number): void {
  storedKey(id)
  encodeCookie(session, maxValueBytes)
  encodeData(session, ['cookie'], maxValueBytes)
}

function fieldOf(session: SessionData, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
      session,
    )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
