/**
 * The store for express-session.
 *
 * @module
 */

import session, { type SessionData } from 'express-session'
import { callbackOf } from '../../entry/callback'
import { passOrigin, withOriginField } from '../../stash/sessions/origin'
import {
  type DestroyByUserOptions,
  Sessions,
  type SessionsOptions,
  type SessionData as StoredData,
} from '../../stash/sessions/store'
import { answer, type SessionCallback } from './callbacks'

export type { DestroyByUserOptions, SessionCallback }

/** A session with its id, as listings answer it. */
export type ListedSession = SessionData & {
  /** The id that its cookie carries. */
  readonly id: string
}

/** What the store is told: the options of `Sessions`, with the sessions of express-session for `userId`. */
export interface PgSessionStoreOptions extends Omit<SessionsOptions, 'userId'> {
  /**
   * Whose session it is: makes `listByUser` and `destroyByUser` work. Asked at every write. `SessionData` is that of express-session, with what the
   * application declared in it. Default: none, sessions belong to nobody.
   */
  readonly userId?: ((session: SessionData) => string | number | null | undefined) | undefined
}

/**
 * The store for express-session: `session({ store: new PgSessionStore({ stash }), … })`. It never emits `disconnect`, after which express-session would go
 * on without sessions.
 *
 * Without a callback each method answers a promise.
 */
export class PgSessionStore extends session.Store {
  readonly #sessions: Sessions

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options?: PgSessionStoreOptions) {
    super()
    this.#sessions = new Sessions(options as SessionsOptions | undefined)
  }

  /** The session, or null. */
  override get(id: string, callback?: SessionCallback<SessionData | null>): Promise<SessionData | null> {
    const host = callbackOf(callback)
    // express-session has put `generate` there, and calls createSession() with what it gets. Of @fastify/session, which copies it, nothing is to be seen.
    const isCopied = host !== undefined && !Object.hasOwn(this, 'generate')
    const found = isCopied ? this.#sessions.get(id).then(withOriginField) : this.#sessions.get(id)
    return answer(host, found.then(asHost))
  }

  /** express-session's own: makes `req.session` of what `get` answered. */
  override createSession(
    req: Parameters<session.Store['createSession']>[0],
    given: SessionData,
  ): session.Session & SessionData {
    const made = super.createSession(req, given)
    passOrigin(given, made)
    return made
  }

  /** Stores a session whole. */
  override set(id: string, session: object, callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.set(id, session as StoredData))
  }

  /** Ends a session, if there is one. */
  override destroy(id: string, callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.destroy(id).then(nothing))
  }

  /** Moves the expiry; makes no session that is gone, and changes no data. */
  override touch(id: string, session: object, callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.touch(id, session as StoredData))
  }

  /** An array of sessions, each with its `id`. */
  override all(callback?: SessionCallback<ListedSession[]>): Promise<ListedSession[]> {
    return answer(callbackOf(callback), this.#sessions.all().then(asListed))
  }

  /** The ids of all sessions. */
  ids(callback?: SessionCallback<string[]>): Promise<string[]> {
    return answer(callbackOf(callback), this.#sessions.ids())
  }

  /** How many there are. */
  override length(callback?: SessionCallback<number>): Promise<number> {
    return answer(callbackOf(callback), this.#sessions.length())
  }

  /** Destroys all of the tenant and namespace. */
  override clear(callback?: SessionCallback<void>): Promise<void> {
    return answer(callbackOf(callback), this.#sessions.clear())
  }

  /** The sessions of a user, by what the option `userId` said of them. */
  listByUser(userId: string | number): Promise<ListedSession[]> {
    return this.#sessions.listByUser(userId).then(asListed)
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

/** What the application has put there it knows itself. */
const asHost = (session: unknown): SessionData | null => (session as SessionData | undefined) ?? null

const asListed = (sessions: unknown): ListedSession[] => sessions as ListedSession[]

const nothing = () => {}
