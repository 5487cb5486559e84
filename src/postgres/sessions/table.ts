import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { StoredKey } from '../../entry/key'

/** A session as it is stored. */
export interface StoredSession {
  readonly id: string
  /** JSON: the session without its cookie, or with it where `cookie` is null. */
  readonly data: string
  readonly cookie: string | null
  /** Milliseconds until it expires. */
  readonly leftMs: number
  /** Grows with every change of data; 0 where the table has no versions. */
  readonly version: number
}

/** What a set writes. */
export interface SessionWrite extends StoredKey {
  readonly userId: string | null
  readonly data: string
  readonly cookie: string | null
  /** Milliseconds; 0: it is over already. */
  readonly ttl: number
  /** An expiry that would move by less, in milliseconds, alone is no reason to write. */
  readonly touchAfter: number
  /** For so many milliseconds after its expiry the sweep spares it. */
  readonly keptMs: number
}

/** What somebody knows of a session that is stored, by what was read or written last. */
export interface KnownSession {
  readonly version: number
  /** As stored. */
  readonly data: string
}

/** The same of whoever may write it several times, awaited or not. */
export interface SessionKnowledge extends KnownSession {
  learn(written: KnownSession): void
}

export interface SessionTouch extends Pick<SessionWrite, 'cookie' | 'ttl' | 'touchAfter'> {
  /** As the index holds it. */
  readonly key: string
}

export interface Replaced {
  readonly isSet: boolean
  /** The new version, or the one that stands, be it expired; undefined: there is no session. */
  readonly version: number | undefined
}

/** Where sessions are kept: the schema's own table, or one that another store has made. */
export interface SessionTable {
  /** undefined: none, or expired. */
  read(address: Address, key: string, options?: CallOptions): Promise<StoredSession | undefined>

  /** Makes or replaces; answers the version, where the row was written. */
  write(address: Address, write: SessionWrite, options?: CallOptions): Promise<number | undefined>

  /** Moves the expiry; makes no session that is not there, and changes no data. */
  touch(address: Address, touch: SessionTouch, options?: CallOptions): Promise<void>

  /** Whether each was there. */
  delete(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]>

  /** All live ones, page by page. */
  list(address: Address, options?: CallOptions): AsyncGenerator<StoredSession, void>

  count(address: Address, options?: CallOptions): Promise<number>

  /** Deletes all, in steps. */
  clear(address: Address, options?: CallOptions): Promise<void>
}

/** The same with cookies apart from data, with users and with versions. */
export interface UserSessionTable extends SessionTable {
  /**
   * Replaces the session if it still has the version that is known of it when its turn has come, be it expired; what is known is then what was written. Answers the new
   * version, or the one that stands.
   */
  replace(address: Address, write: SessionWrite, known: SessionKnowledge, options?: CallOptions): Promise<Replaced>

  /** The live ones of a user. */
  ofUser(address: Address, userId: string, options?: CallOptions): Promise<StoredSession[]>

  /** Deletes those of a user but the ones excepted, by key; answers how many were alive. */
  deleteOfUser(address: Address, userId: string, except: readonly string[], options?: CallOptions): Promise<number>
}
