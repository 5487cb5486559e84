/**
 * The stores for cache-manager 4 and 5; 6 and 7 take a Keyv.
 *
 * @module
 */

import { assertList } from '../../entry/list'
import { resolveTenant } from '../../entry/tenant'
import { InvalidArgumentError, NotCacheableError } from '../../errors'
import type { Cache } from '../../stash/entries/cache'
import { holdStash, storeOptions } from '../../stash/held-stash'
import { splitNear } from '../../stash/options/near'
import type { NearStoreOptions, PgStashOptions } from '../../stash/options/told'
import type { PgStash, TenantSource } from '../../stash/pg-stash'
import { factory4 } from './version-4'

export type { PgCacheManager4Store } from './version-4'
export type { TenantSource }

/** What the store is told, in `caching(pgStore, { … })` or `new PgCacheManagerStore({ … })`. */
export interface PgCacheManagerOptions extends Omit<PgStashOptions, 'near'> {
  /** A stash to share. Default: the connection options among these open one, which `disconnect()` closes. */
  readonly stash?: PgStash | undefined
  /**
   * Whose data; a function is asked at every call. Default: the tenant `default`. With a function, put the tenant in the key of
   * `wrap`: cache-manager merges concurrent calls of `wrap` by key before it asks the store.
   */
  readonly tenant?: TenantSource | undefined
  /** Give each app or cache its own. Default: `cache`. */
  readonly namespace?: string | undefined
  /** Counts deploys: two versions of a namespace do not see each other's entries. Default: none. */
  readonly version?: number | undefined
  /**
   * Whether entries are held in the memory of this process, and answered from there without a round trip; within the stash's `near.maxStalenessMs` of what the database has. A store that
   * opens its own stash takes what holds for that (`maxBytes`, …) among these. Default: false.
   */
  readonly near?: boolean | NearStoreOptions | undefined
  /** Milliseconds that an entry lives when a write names no ttl; 0: for ever. Default: for ever. */
  readonly ttl?: number | undefined
  /** Whether a value may be stored; a write of another one throws. Default: everything but undefined. */
  readonly isCacheable?: ((value: unknown) => boolean) | undefined
  /** cache-manager's own, in milliseconds; it reads it from the same object. Default: that of cache-manager. */
  readonly refreshThreshold?: number | undefined
  /** cache-manager's own; it reads it from the same object. Default: that of cache-manager. */
  readonly onBackgroundRefreshError?: ((error: unknown) => void) | undefined
}

const defaultNamespace = 'cache'

const storeOptionNames = [
  ...['tenant', 'namespace', 'version', 'ttl', 'isCacheable', 'near'],
  ...['refreshThreshold', 'onBackgroundRefreshError'],
]

/** cache-manager 5: what `ttl()` answers for an entry without expiry, and for none. As Redis' PTTL. */
const noExpiry = -1
const noEntry = -2

/**
 * The store for cache-manager 5: `caching(new PgCacheManagerStore({ stash }))`. All times are milliseconds.
 *
 * cache-manager 6 and 7 take a Keyv: `createCache({ stores: [new Keyv(new KeyvPgStore(stash))] })`.
 */
export class PgCacheManagerStore {
  /** The stash: what other stores call the native client. */
  readonly client: PgStash
  /** As cache-manager's own store: what may be stored. */
  readonly isCacheable: (value: unknown) => boolean
  readonly #release: () => Promise<void>
  readonly #cacheNow: () => Cache
  readonly #ttl: number | undefined

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: PgCacheManagerOptions | string = {}) {
    const given = typeof options === 'string' ? { connectionString: options } : options
    const { tenant, namespace, version, ttl, isCacheable, near, ...others } = storeOptions(given, storeOptionNames)
    // cache-manager's own: nothing to the stash.
    const { refreshThreshold, onBackgroundRefreshError, ...connection } = others
    assertIsCacheable(isCacheable)
    const { held, settings } = splitNear(near)
    const { stash, release } = holdStash({ ...connection, ...settings })
    this.client = stash
    this.#release = release
    this.#ttl = ttl
    this.isCacheable = isCacheable ?? ((value) => value !== undefined)
    const open = () =>
      stash.tenant(resolveTenant(tenant)).namespace(namespace ?? defaultNamespace, { version, near: held })
    this.#cacheNow = typeof tenant === 'function' ? open : always(open())
    lifeOf(ttl)
  }

  /** The value, or undefined. */
  async get<T>(key: string): Promise<T | undefined> {
    return this.#cacheNow().get<T>(key)
  }

  /**
   * `ttl` in milliseconds; 0: for ever; left out: that of the store.
   * @throws {NotCacheableError}
   */
  async set<T>(key: string, value: T, ttl?: number): Promise<void> {
    this.#assertCacheable(value)
    await this.#cacheNow().set(key, value, { ttl: this.#life(ttl) })
  }

  /** Deletes an entry, if there is one. */
  async del(key: string): Promise<void> {
    await this.#cacheNow().delete(key)
  }

  /** Empties the namespace in one small write. */
  async reset(): Promise<void> {
    await this.#cacheNow().clear()
  }

  /** One statement; undefined for each key that is not there. */
  async mget(...keys: string[]): Promise<unknown[]> {
    return this.#cacheNow().getMany(keys)
  }

  /** One statement. @throws {NotCacheableError} when any is not cacheable; then nothing is stored */
  async mset(pairs: [string, unknown][], ttl?: number): Promise<void> {
    for (const pair of assertList('entries', pairs)) this.#assertCacheable(assertPair(pair)[1])
    const life = this.#life(ttl)
    await this.#cacheNow().setMany(pairs.map(([key, value]) => ({ key, value, ttl: life })))
  }

  /** Deletes several entries in one statement. */
  async mdel(...keys: string[]): Promise<void> {
    await this.#cacheNow().deleteMany(keys)
  }

  /** The live keys, all or those that match a glob as in Redis (`user:*`). */
  async keys(pattern?: string): Promise<string[]> {
    const keys: string[] = []
    for await (const key of this.#cacheNow().keys({ match: pattern })) keys.push(key)
    return keys
  }

  /** Milliseconds left, -1 without expiry, -2 without entry. */
  async ttl(key: string): Promise<number> {
    const left = await this.#cacheNow().ttl(key)
    return left === undefined ? noEntry : (left ?? noExpiry)
  }

  /** Closes the stash if it was opened for stores, and this is the last of them. */
  disconnect(): Promise<void> {
    return this.#release()
  }

  #life(ttl: number | undefined): number | null {
    return lifeOf(ttl ?? this.#ttl)
  }

  #assertCacheable(value: unknown): void {
    if (!this.isCacheable(value)) throw new NotCacheableError()
  }
}

/**
 * The factory for cache-manager 5, in the place of `redisStore`.
 *
 * @example
 * const cache = await caching(pgStore) // DATABASE_URL
 * const other = await caching(pgStore, { stash, namespace: 'views', ttl: 60_000 })
 */
export function pgStore(options?: PgCacheManagerOptions | string): PgCacheManagerStore {
  return new PgCacheManagerStore(options)
}

/** The store for cache-manager 4: `caching({ store: pgStore4, ttl: 60 })`, with callbacks or promises, in seconds. */
export const pgStore4 = factory4((options: PgCacheManagerOptions) => new PgCacheManagerStore(options))

function assertIsCacheable(isCacheable: unknown): void {
  if (isCacheable === undefined || isCacheable === null || typeof isCacheable === 'function') return
  throw new InvalidArgumentError('isCacheable', 'must be a function', 'Pass (value) => value !== undefined.')
}

function assertPair(pair: readonly [string, unknown]): readonly [string, unknown] {
  if (Array.isArray(pair)) return pair
  throw new InvalidArgumentError('entries', 'must hold pairs', 'Pass [[key, value], …].')
}

/** cache-manager: 0 and undefined are no expiry. Anything else the namespace judges. */
function lifeOf(ttl: number | undefined): number | null {
  if (ttl === undefined || ttl === null || ttl === 0) return null
  if (typeof ttl === 'number' && ttl > 0) return ttl
  throw new InvalidArgumentError(
    'ttl',
    'must be a number of milliseconds, 0 or more',
    'Pass 0 or nothing for no expiry.',
  )
}

function always<T>(value: T): () => T {
  return () => value
}
