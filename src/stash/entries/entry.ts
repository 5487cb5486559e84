import type { OnError } from '../options/told'

/** What `getEntry` answers. */
export interface Entry<Value = unknown> {
  /** As `get` answers it. */
  readonly value: Value
  /** Grows with every write of the key: the token for `compareAndSet` and `ifVersion`. */
  readonly version: number
  /** Epoch milliseconds of the database's clock; null for no expiry. */
  readonly expiresAt: number | null
}

/** What the caches of a stash have in common. */
export interface CacheRules {
  readonly defaultTtl: number | null
  /** For how long after its expiry a value may be served, in milliseconds. */
  readonly grace: number
  /** The largest share that is taken off a ttl at random. */
  readonly ttlJitter: number
  readonly maxValueBytes: number
  readonly onError: OnError
}
