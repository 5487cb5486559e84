/**
 * The store for @fastify/session, where express-session is not installed.
 *
 * @module
 */

import { EventEmitter } from 'node:events'
import { callbackOf } from '../../entry/callback'
import { withOriginField } from '../../stash/sessions/origin'
import {
  type DestroyByUserOptions,
  type ListedSession,
  type SessionData,
  Sessions,
  type SessionsOptions,
} from '../../stash/sessions/store'
import { answer, type SessionCallback } from './callbacks'

export type { DestroyByUserOptions, ListedSession, SessionCallback, SessionData }

/** `Data`: what the application keeps in a session, for `userId`. */
export interface PgSessionStoreOptions<Data = SessionData> extends Omit<SessionsOptions, 'userId'> {
  /** Whose session it is: makes `listByUser` and `destroyByUser` work. Asked at every write. Default: none, sessions belong to nobody. */
  readonly userId?: ((session: Data) => string | number | null | undefined) | undefined
}

/**
 * The store for @fastify/session, where express-session is not installed: `fastify.register(fastifySession, { store: new PgSessionStore({ stash }), … })`.
 * The same as that of `pgstash/express-session` otherwise.
 */
export class PgSessionStore<Data = SessionData> extends EventEmitter {
  readonly #sessions: Sessions

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options?: PgSessionStoreOptions<Data>) {
    super()
    this.#sessions = new Sessions(options as SessionsOptions | undefined)
  }

  /** The session, or null. `Data`: what the host calls a session. */
  get<Data = SessionData>(id: string, callback?: SessionCallback<Data | null>): Promise<Data | null> {
    const host = callbackOf(callback)
    const found = host === undefined ? this.#sessions.get(id) : this.#sessions.get(id).then(withOriginField)
    return answer(
      host,
      found.then((session) => orNull(session as Data | undefined)),
    )
  }

  /** Stores a session whole. */
  set(id: string, session: object, callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.set(id, session as SessionData))
  }

  /** Ends a session, if there is one. */
  destroy(id: string, callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.destroy(id).then(nothing))
  }

  /** Moves the expiry; makes no session that is gone, and changes no data. */
  touch(id: string, session: object, callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.touch(id, session as SessionData))
  }

  /** An array of sessions, each with its `id`. */
  all(callback?: SessionCallback<ListedSession[]>): Promise<ListedSession[]> {
    return answer(callbackOf(callback), this.#sessions.all())
  }

  /** The ids of all sessions. */
  ids(callback?: SessionCallback<string[]>): Promise<string[]> {
    return answer(callbackOf(callback), this.#sessions.ids())
  }

  /** How many there are. */
  length(callback?: SessionCallback<number>): Promise<number> {
    return answer(callbackOf(callback), this.#sessions.length())
  }

  /** Destroys all of the tenant and namespace. */
  clear(callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.clear())
  }

  /** The sessions of a user, by what the option `userId` said of them. */
  listByUser(userId: string | number): Promise<ListedSession[]> {
    return this.#sessions.listByUser(userId)
  }

  /** Destroys the sessions of a user, but those excepted; answers how many. */
  destroyByUser(userId: string | number, options?: DestroyByUserOptions): Promise<number> {
    return this.#sessions.destroyByUser(userId, options)
  }

  /** Closes the stash if this store opened it. */
  close(): Promise<void> {
    return this.#sessions.close()
  }
}

const orNull = <T>(value: T | undefined): T | null => value ?? null

const nothing = () => {}
