import { assertKey } from '../entry/key'
import { resolveTenant } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import { DeniedHits } from '../stash/denied-hits'
import { assertStoreOptions, holdStash, type PgStash, type TenantSource } from '../stash/pg-stash'
import { type Algorithm, type LimiterOptions, RateLimiter, type RateLimitOnError } from '../stash/rate-limiter'

export type { Algorithm, RateLimitOnError, TenantSource }

export interface PgRateLimitStoreOptions extends LimiterOptions {
  /** Unique for each limiter of an application: two with one prefix and one window count together, of whatever host. Default: `rl`. */
  readonly prefix?: string | undefined
  /** Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
  /**
   * The limit, where the host's is a function: the other algorithms and the memory of denials need to know it. Default: the host's `limit`, if it is a
   * number; otherwise hits are counted without end, in fixed windows.
   */
  readonly limit?: number | undefined
  /** Milliseconds, where no host calls `init`. Default: 60,000. */
  readonly windowMs?: number | undefined
}

/** What the hosts tell the store. */
export interface RateLimitHostOptions {
  readonly windowMs?: number | undefined
  readonly limit?: unknown
  /** false: it never takes back a hit that was denied. */
  readonly skipFailedRequests?: boolean | undefined
}

/** What the hosts are answered. */
export interface ClientRateLimitInfo {
  totalHits: number
  resetTime: Date
}

/** Where nobody knows the limit: more than anybody sends. */
const countWithoutEnd = 1_000_000_000

/**
 * The store for express-rate-limit and hono-rate-limiter: `rateLimit({ store: new PgRateLimitStore({ stash, prefix: 'api' }), … })`.
 *
 * Where the limit is known, hits over it are not counted in the database: `totalHits` then is the limit and what this process denied the caller in the window.
 */
export class PgRateLimitStore {
  /** express-rate-limit: other processes see what this one counts. */
  readonly localKeys = false
  readonly prefix: string
  readonly #stash: PgStash
  readonly #isOwned: boolean
  readonly #options: Omit<PgRateLimitStoreOptions, 'prefix'>
  readonly #denied = new DeniedHits()
  /** Whether the host never takes a denial back: what it takes back then was counted in the database. */
  #keepsDenied = false
  #limiter: RateLimiter

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(given: PgRateLimitStoreOptions = {}) {
    assertStoreOptions(given)
    const { prefix = 'rl', ...options } = given
    if (typeof prefix !== 'string') throw new InvalidArgumentError('prefix', 'must be a string', 'Pass "api".')
    const { tenant, onError, denyCache, algorithm, limit, windowMs, ...connection } = options
    const { stash, isOwned } = holdStash(connection)
    this.prefix = prefix
    this.#stash = stash
    this.#isOwned = isOwned
    this.#options = { tenant, onError, denyCache, algorithm, limit, windowMs }
    this.#limiter = this.#make({})
  }

  /**
   * express-rate-limit: called once, before the first hit, and not awaited.
   * @throws {InvalidArgumentError} naming the option that will not do
   */
  init(host: RateLimitHostOptions): void {
    if (typeof host !== 'object' || host === null) {
      throw new InvalidArgumentError('options', 'must be an object', 'Pass { windowMs, limit }.')
    }
    this.#keepsDenied = host.skipFailedRequests === false
    this.#limiter = this.#make(host)
  }

  /** Counts a hit. */
  async increment(key: string): Promise<ClientRateLimitInfo> {
    const { isAllowed, limit, used, resetMs, retryAfterMs } = await this.#limiter.consume(key)
    if (!isAllowed)
      return { totalHits: limit + this.#denied.add(this.#callerOf(key), resetMs), resetTime: after(retryAfterMs) }
    if (!this.#denied.isEmpty) this.#denied.forgetOld(this.#callerOf(key))
    return { totalHits: Math.max(1, used), resetTime: after(resetMs) }
  }

  /** Takes a hit back, never below none: one that was denied, if there is one. */
  async decrement(key: string): Promise<void> {
    if (this.#keepsDenied || !this.#denied.takeBack(this.#callerOf(key))) await this.#limiter.reward(key)
  }

  /** What was counted of a caller; undefined: nothing. */
  async get(key: string): Promise<ClientRateLimitInfo | undefined> {
    const { used, resetMs } = await this.#limiter.peek(key)
    const totalHits = used + this.#denied.count(this.#callerOf(key))
    return totalHits === 0 ? undefined : { totalHits, resetTime: after(resetMs) }
  }

  async resetKey(key: string): Promise<void> {
    this.#denied.forget(this.#callerOf(key))
    await this.#limiter.reset(key)
  }

  /** Forgets everybody; of one tenant. */
  async resetAll(): Promise<void> {
    this.#denied.forgetAll()
    await this.#limiter.clear()
  }

  /** Closes the stash if this store opened it. */
  async shutdown(): Promise<void> {
    if (this.#isOwned) await this.#stash.close()
  }

  #callerOf(key: string): string {
    return `${resolveTenant(this.#options.tenant)}\0${assertKey(key)}`
  }

  #make({ windowMs, limit }: RateLimitHostOptions): RateLimiter {
    const known = this.#options.limit ?? (typeof limit === 'number' ? limit : undefined)
    return new RateLimiter({
      ...this.#options,
      stash: this.#stash,
      name: this.prefix,
      limit: known ?? countWithoutEnd,
      // The others need to know a limit.
      algorithm: known === undefined ? 'fixed-window' : this.#options.algorithm,
      windowMs: windowMs ?? this.#options.windowMs ?? 60_000,
    })
  }
}

/** The hosts compare it with the clock of this process. */
function after(ms: number): Date {
  return new Date(Date.now() + ms)
}
