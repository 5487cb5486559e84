import { encodeValue } from '../entry/codec'
import { InvalidArgumentError } from '../errors'
import type { StoredSession } from '../postgres/session-table'

/** What the hosts call a session: the application's data, and the cookie that carries its id. */
export interface SessionData {
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
const longestMs = 3_155_760_000_000

/** Milliseconds the session has left, by its cookie; undefined: the cookie does not say, or what it says is no date. */
export function lifeOf(session: SessionData): number | undefined {
  const { expires, maxAge } = session.cookie ?? {}
  if (expires === undefined && typeof maxAge === 'number' && maxAge >= 0) return Math.min(Math.ceil(maxAge), longestMs)
  if (!isDate(expires)) return undefined
  // The caller's clock made it, so the caller's clock says how long it is.
  return Math.min(Math.max(0, Math.ceil(timeOf(expires) - Date.now())), longestMs)
}

/**
 * The cookie as JSON, but for its expiry; null: there is none.
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
 * @throws {UnserialisableValueError}
 * @throws {ValueTooLargeError}
 */
export function encodeData(session: SessionData, without: readonly string[], maxValueBytes: number): string {
  const data: Record<string, unknown> = { ...session }
  for (const name of without) delete data[name]
  return encodeValue(data, maxValueBytes).text
}

/** The session again; `cookie.expires`, where it has one, is what the row says, as an ISO string like that of express-session's MemoryStore. */
export function decodeSession({ data, cookie, leftMs }: StoredSession): SessionData {
  const session = JSON.parse(data) as SessionData
  if (cookie !== null) session.cookie = JSON.parse(cookie) as SessionCookie
  const expires = session.cookie?.expires
  if (session.cookie && (expires === expiryOfRow || isDate(expires))) {
    session.cookie.expires = new Date(Date.now() + leftMs).toISOString()
  }
  return session
}

/** @throws {InvalidArgumentError} */
export function assertSession(session: unknown): SessionData {
  if (typeof session === 'object' && session !== null && !Array.isArray(session)) return session as SessionData
  throw new InvalidArgumentError('session', 'must be an object', 'Pass the session, with its cookie.')
}

/** null, false and undefined: a cookie that ends with the browser. Invalid Date, which JSON makes null of, as well. */
function isDate(expires: SessionCookie['expires']): expires is Date | string | number {
  return Boolean(expires) && expires !== true && Number.isFinite(timeOf(expires as Date | string | number))
}

function timeOf(expires: Date | string | number): number {
  return new Date(expires).getTime()
}

function plain(cookie: SessionCookie): SessionCookie {
  const { toJSON } = cookie as { toJSON?: unknown }
  return typeof toJSON === 'function' ? (toJSON.call(cookie) as SessionCookie) : cookie
}
