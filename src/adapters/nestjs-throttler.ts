import type { TenantSource } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import { assertStoreOptions, holdStash, type PgStash } from '../stash/pg-stash'
import { type Algorithm, type LimiterOptions, RateLimiter, type RateLimitOnError } from '../stash/rate-limiter'

export type { Algorithm, RateLimitOnError, TenantSource }

export interface PgThrottlerStorageOptions extends LimiterOptions {
  /** Tells the throttlers of several applications apart. Default: `throttler`. */
  readonly prefix?: string | undefined
  /** Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
}

/** @nestjs/throttler: what a storage answers; times in seconds. */
export interface ThrottlerRecord {
  totalHits: number
  timeToExpire: number
  isBlocked: boolean
  timeToBlockExpire: number
}

/** Limiters kept: one for each limit, window and block that the throttlers name, which may be functions. */
const limitersKept = 1_000

/**
 * The storage for @nestjs/throttler: `ThrottlerModule.forRoot({ throttlers: […], storage: new PgThrottlerStorage({ stash }) })`.
 */
export class PgThrottlerStorage {
  readonly #stash: PgStash
  readonly #isOwned: boolean
  readonly #prefix: string
  readonly #shared: Pick<LimiterOptions, 'tenant' | 'onError' | 'denyCache'> & {
    readonly algorithm: Algorithm | undefined
  }
  readonly #limiters = new Map<string, RateLimiter>()

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(given: PgThrottlerStorageOptions = {}) {
    assertStoreOptions(given)
    const { prefix = 'throttler', ...options } = given
    const { tenant, onError, denyCache, algorithm, ...connection } = options
    const { stash, isOwned } = holdStash(connection)
    this.#stash = stash
    this.#isOwned = isOwned
    this.#prefix = prefix
    this.#shared = { tenant, onError, denyCache, algorithm }
    // Tells at once what will not do, not at the first request.
    new RateLimiter({ ...this.#shared, stash, name: prefix, limit: 1, windowMs: 1 })
  }

  /**
   * @nestjs/throttler: counts a hit; `ttl` and `blockDuration` in milliseconds. Who exceeds the limit is blocked for `blockDuration` (0: until the window ends),
   * and begins anew after that.
   */
  async increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord> {
    const { isAllowed, used, resetMs, retryAfterMs } = await this.#limiter(
      ttl,
      limit,
      blockDuration,
      throttlerName,
    ).consume(key)
    if (isAllowed) {
      return { totalHits: Math.max(1, used), timeToExpire: seconds(resetMs), isBlocked: false, timeToBlockExpire: 0 }
    }
    return {
      totalHits: limit + 1,
      timeToExpire: seconds(resetMs),
      isBlocked: true,
      timeToBlockExpire: seconds(retryAfterMs),
    }
  }

  /** Nest calls it where shutdown hooks are enabled. Closes the stash if this storage opened it. */
  async onApplicationShutdown(): Promise<void> {
    if (this.#isOwned) await this.#stash.close()
  }

  #limiter(windowMs: number, limit: number, blockMs: number, name: string): RateLimiter {
    // Before they make an id. Whether they fit, the limiter says.
    assertNumber('ttl', windowMs)
    assertNumber('limit', limit)
    if (blockMs !== undefined) assertNumber('blockDuration', blockMs)
    if (typeof name !== 'string') {
      throw new InvalidArgumentError('throttlerName', 'must be a string', 'Let @nestjs/throttler pass it.')
    }
    const id = `${name}\0${windowMs}\0${limit}\0${blockMs}`
    const known = this.#limiters.get(id)
    if (known !== undefined) return known
    if (this.#limiters.size >= limitersKept) this.#limiters.clear()
    const block = blockMs > 0 ? { blockMs, forgetMs: 0 } : undefined
    const limiter = new RateLimiter({
      ...this.#shared,
      stash: this.#stash,
      name: `${this.#prefix}/${name}`,
      limit,
      windowMs,
      block,
    })
    this.#limiters.set(id, limiter)
    return limiter
  }
}

function assertNumber(field: string, value: unknown): void {
  if (typeof value === 'number') return
  throw new InvalidArgumentError(field, 'must be a number', 'Let @nestjs/throttler pass it.')
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}
