import { EventEmitter } from 'node:events'
import {
  type DestroyByUserOptions,
  type ListedSession,
  type SessionData,
  Sessions,
  type SessionsOptions,
} from '../stash/sessions'
import { answer, type SessionCallback } from './session-callbacks'

export type { DestroyByUserOptions, ListedSession, SessionCallback, SessionData }
export type PgSessionStoreOptions = SessionsOptions

/**
 * The store for @fastify/session, where express-session is not installed: `fastify.register(fastifySession, { store: new PgSessionStore({ stash }), … })`.
 * The same as that of `pgstash/express-session` otherwise.
 */
export class PgSessionStore extends EventEmitter {
  readonly #sessions: Sessions

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options?: PgSessionStoreOptions) {
    super()
    this.#sessions = new Sessions(options)
  }

  get(id: string, callback?: SessionCallback<SessionData | null>): Promise<SessionData | null> {
    return answer(this.#sessions.get(id).then(orNull), callback)
  }

  set(id: string, session: object, callback?: SessionCallback<void>): Promise<void> {
    return answer(this.#sessions.set(id, session as SessionData), callback)
  }

  destroy(id: string, callback?: SessionCallback<void>): Promise<void> {
    return answer(this.#sessions.destroy(id).then(nothing), callback)
  }

  /** Moves the expiry; makes no session that is gone, and changes no data. */
  touch(id: string, session: object, callback?: SessionCallback<void>): Promise<void> {
    return answer(this.#sessions.touch(id, session as SessionData), callback)
  }

  /** An array of sessions, each with its `id`. */
  all(callback?: SessionCallback<ListedSession[]>): Promise<ListedSession[]> {
    return answer(this.#sessions.all(), callback)
  }

  ids(callback?: SessionCallback<string[]>): Promise<string[]> {
    return answer(this.#sessions.ids(), callback)
  }

  length(callback?: SessionCallback<number>): Promise<number> {
    return answer(this.#sessions.length(), callback)
  }

  clear(callback?: SessionCallback<void>): Promise<void> {
    return answer(this.#sessions.clear(), callback)
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
