import type { KnownSession, SessionKnowledge } from '../../postgres/sessions/table'
import type { PgStash } from '../pg-stash'
import type { SessionData } from './codec'

/**
 * Where a session was read, and what stood there. It belongs to one id: the same data under another id is another session, which nobody has read yet.
 */
export class SessionOrigin implements SessionKnowledge {
  readonly #stash: PgStash
  readonly #place: string
  // Not to be seen where somebody logs the session.
  #version: number
  #data: string

  /** @param place tenant, namespace and id in one string */
  constructor(stash: PgStash, place: string, { version, data }: KnownSession) {
    this.#stash = stash
    this.#place = place
    this.#version = version
    this.#data = data
  }

  get version(): number {
    return this.#version
  }

  get data(): string {
    return this.#data
  }

  /** After a write. */
  learn({ version, data }: KnownSession): void {
    this.#version = version
    this.#data = data
  }

  isOf(stash: PgStash, place: string): boolean {
    return this.#stash === stash && this.#place === place
  }

  /** For another object: from here on each of them knows what it wrote itself. */
  copy(): SessionOrigin {
    return new SessionOrigin(this.#stash, this.#place, this)
  }

  /** Whether `data` is what was read, also where it was stored in other spelling. */
  isUnchanged(data: string): boolean {
    return data === this.#data || data === JSON.stringify(JSON.parse(this.#data))
  }

  /** No part of the session's JSON: hosts hash that, and applications answer it. */
  toJSON(): undefined {
    return undefined
  }
}

/** On what was read: a spread and `Object.assign` take it along, and neither `for … in` nor JSON shows it. */
const originSymbol = Symbol('pgstash.origin')

/** Where a host copies what it gets by `for … in`, as @fastify/session does, which passes over symbols. */
export const originField = 'pgstash.origin'

interface Carrier {
  [originSymbol]?: unknown
  [originField]?: unknown
}

/** What each object was last read or written as; what it carries may be older, or that of an object it was copied from. */
const origins = new WeakMap<object, SessionOrigin>()

/** Of what was read: copies of it were read there as well. */
export function rememberRead(session: SessionData, origin: SessionOrigin): void {
  origins.set(session, origin)
  ;(session as Carrier)[originSymbol] = origin
}

/** Of what was written: copies that were made of it before have not been. */
export function rememberWritten(session: SessionData, origin: SessionOrigin): void {
  origins.set(session, origin)
}

/** undefined: nobody has read this session at this place, whatever else it was read as. */
export function originOf(session: SessionData, stash: PgStash, place: string): SessionOrigin | undefined {
  const isHere = (origin: unknown) => origin instanceof SessionOrigin && origin.isOf(stash, place)
  const own = origins.get(session)
  if (isHere(own)) return own
  const { [originSymbol]: spread, [originField]: copied } = session as Carrier
  const carried = [spread, copied].find(isHere) as SessionOrigin | undefined
  if (carried === undefined) return undefined
  const origin = carried.copy()
  origins.set(session, origin)
  return origin
}

/** For hosts that copy by `for … in` what they get. */
export function withOriginField<T extends object>(session: T | undefined): T | undefined {
  const origin = session && origins.get(session)
  if (origin !== undefined) (session as Carrier)[originField] = origin
  return session
}

/** For hosts that tell which session object of theirs they made of what they got. */
export function passOrigin(given: object, made: object): void {
  const origin = origins.get(given)
  if (origin !== undefined) rememberRead(made as SessionData, origin.copy())
}
