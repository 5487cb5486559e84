import { encodeValue } from '../../entry/codec'
import { InvalidArgumentError } from '../../errors'
import type { StoredSession } from '../../postgres/sessions/table'

/** What the hosts call a session: the application's data, and the cookie that carries its id. */
export interface SessionData {
  /** The host's cookie, whose expiry is the session's. */
  cookie?: SessionCookie | undefined
  [name: string]: unknown
}

/** Of a cookie this package reads the expiry only. */
export interface SessionCookie {
  expires?: Date | string | number | boolean | null | undefined
  maxAge?: number | null | undefined
  [name: string]: unknown
}

/** In the stored cookie, where it has an expiry: that is the row's. */
const expiryOfRow = 'expires_at'

/** 100 years: nobody's cookie lives longer. */
export const longestMs = 3_155_760_000_000

/**
 * Milliseconds the session has left, by its cookie; undefined: the cookie does not say, or what it says is no date.
 * @throws {InvalidArgumentError} a `maxAge` that is no number, where that counts
 */
export function lifeOf(session: SessionData): number | undefined {
  const { expires, maxAge } = session.cookie ?? {}
  if (expires === undefined && maxAge !== undefined && maxAge !== null) return within(assertMaxAge(maxAge))
  // The caller's clock made it, so the caller's clock says how long it is.
  return isDate(expires) ? within(timeOf(expires) - Date.now()) : undefined
}

function assertMaxAge(maxAge: unknown): number {
  if (typeof maxAge === 'number' && !Number.isNaN(maxAge)) return maxAge
  throw new InvalidArgumentError(
    'session.cookie.maxAge',
    'must be a number of milliseconds',
    "Leave it out for the store's ttl.",
  )
}

function within(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), longestMs)
}

/**
 * The cookie as JSON, but for its expiry; null: there is none.
 * @throws {InvalidArgumentError} its `toJSON` answers no object
 * @throws {UnserialisableValueError}
 * @throws {ValueTooLargeError}
 */
export function encodeCookie({ cookie }: SessionData, maxValueBytes: number): string | null {
  if (cookie === undefined || cookie === null) return null
  // originalExpires: @fastify/session makes it anew of `expires`; kept, it would differ at every request.
  const { originalExpires, ...kept } = plain(cookie)
  return encodeValue(isDate(kept.expires) ? { ...kept, expires: expiryOfRow } : kept, maxValueBytes).text
}

/**
 * The session as JSON, without its cookie.
 * @throws {InvalidArgumentError} its `toJSON` answers no object: nobody could read that as a session
 * @throws {UnserialisableValueError}
 * @throws {ValueTooLargeError}
 */
export function encodeData(session: SessionData, without: readonly string[], maxValueBytes: number): string {
  const data: Record<string, unknown> = { ...session }
  for (const name of without) delete data[name]
  const { text } = encodeValue(data, maxValueBytes)
  if (text.startsWith('{')) return text
  throw new InvalidArgumentError(
    'session',
    'is no object in JSON',
    'Let its toJSON() answer an object, or take it away.',
  )
}

/**
 * The session again; `cookie.expires`, where it has one, is what the row says, as an ISO string like that of express-session's MemoryStore.
 * undefined: the row holds no session. Whatever wrote it, one such row is no reason to list none.
 */
export function decodeSession({ data, cookie, leftMs }: StoredSession): SessionData | undefined {
  const session = objectOf(data)
  if (session === undefined) return undefined
  if (cookie !== null) session.cookie = objectOf(cookie)
  if (isObject(session.cookie)) restoreExpiry(session.cookie, leftMs)
  return session
}

function restoreExpiry(cookie: SessionCookie, leftMs: number): void {
  if (cookie.expires === expiryOfRow || isDate(cookie.expires))
    cookie.expires = new Date(Date.now() + leftMs).toISOString()
}

/** @throws {InvalidArgumentError} no object, or its cookie is none */
export function assertSession(session: unknown): SessionData {
  if (!isObject(session)) {
    throw new InvalidArgumentError('session', 'must be an object', 'Pass the session, with its cookie.')
  }
  const { cookie } = session
  if (cookie === undefined || cookie === null || isObject(cookie)) return session
  throw new InvalidArgumentError('session.cookie', 'must be an object', 'Pass { expires }, or leave it out.')
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** null, false and undefined: a cookie that ends with the browser. Invalid Date, which JSON makes null of, as well. */
function isDate(expires: SessionCookie['expires']): expires is Date | string | number {
  return Boolean(expires) && expires !== true && Number.isFinite(timeOf(expires as Date | string | number))
}

/** NaN where it is no date. Also of what is not from here: dates of another realm, or of a library, tell their time by `valueOf`. */
function timeOf(expires: Date | string | number): number {
  try {
    return new Date(expires).getTime()
  } catch {
    return Number.NaN
  }
}

function plain(cookie: SessionCookie): SessionCookie {
  const { toJSON } = cookie as { toJSON?: unknown }
  if (typeof toJSON !== 'function') return cookie
  const answer: unknown = toJSON.call(cookie)
  if (isObject(answer)) return answer
  throw new InvalidArgumentError('session.cookie', 'is no object in JSON', 'Pass { expires }, not a date.')
}
