/**
 * The store for express-rate-limit and hono-rate-limiter.
 *
 * @module
 */

import { hostLimit, hostWindow } from '../entry/limits/of-host'
import { InvalidArgumentError } from '../errors'
import { holdStash, storeOptions } from '../stash/held-stash'
import { type HostHits, HostLimiter } from '../stash/limits/host-limiter'
import type { Algorithm, LimiterOptions, RateLimitOnError } from '../stash/limits/rate-limiter'
import { isUncountable, uncountableForMs } from '../stash/limits/uncountable'
import type { PgStash, TenantSource } from '../stash/pg-stash'

export type { Algorithm, RateLimitOnError, TenantSource }

/** What a {@link PgRateLimitStore} is told. */
export interface PgRateLimitStoreOptions extends LimiterOptions {
  /** Unique for each limiter of an application: two with one prefix and one window count together, of whatever host. Default: `rl`. */
  readonly prefix?: string | undefined
  /** How the window moves; other than `fixed-window` needs a known limit. Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
  /**
   * Hits in a window; where the host's is a function, the highest that it gives: the other algorithms and the memory of denials need to know it. Default: the
   * host's `limit`, if it is a number; otherwise hits are counted without end, in fixed windows.
   */
  readonly limit?: number | undefined
  /** Milliseconds, where no host calls `init`. Default: 60,000. */
  readonly windowMs?: number | undefined
}

/** What the hosts tell the store. */
export interface RateLimitHostOptions {
  /** The host's window, in milliseconds. Default: the store's. */
  readonly windowMs?: number | undefined
  /** The host's limit, a number or a function. Default: the store's. */
  readonly limit?: unknown
  /** Whether the host takes the hit of a failed request back; with `skipSuccessfulRequests` false too, it never takes one back. Default: false. */
  readonly skipFailedRequests?: boolean | undefined
  /** Whether the host takes the hit of a request that went well back. Default: false. */
  readonly skipSuccessfulRequests?: boolean | undefined
  /** express-rate-limit: whether it lets pass whom the store did not count. Default: false. */
  readonly passOnStoreError?: boolean | undefined
}

/** What the hosts are answered. */
export interface ClientRateLimitInfo {
  /** Hits that count now, this one among them. */
  totalHits: number
  /** When the window ends. */
  resetTime: Date
}

/** What a limiter of one store is told once and for all. */
interface Rules {
  readonly windowMs: number
  readonly limit: number | undefined
  readonly takesBack: boolean
}

const storeOptionNames = ['prefix', 'tenant', 'onError', 'denyCache', 'algorithm', 'limit', 'windowMs']

/**
 * The store for express-rate-limit and hono-rate-limiter: `rateLimit({ store: new PgRateLimitStore({ stash, prefix: 'api' }), … })`.
 *
 * Where the limit is known and the host takes nothing back, hits over it are not counted in the database: `totalHits` then is the limit and what this process
 * denied the caller in the window. With `skipFailedRequests` or `skipSuccessfulRequests` each hit is counted there.
 */
export class PgRateLimitStore {
  /** express-rate-limit: other processes see what this one counts. */
  readonly localKeys = false
  /** As it was given, or `rl`. */
  readonly prefix: string
  readonly #stash: PgStash
  readonly #release: () => Promise<void>
  readonly #options: Omit<PgRateLimitStoreOptions, 'prefix'>
  #limiter: HostLimiter
  #rules: Rules | undefined
  /** Why nothing can be counted. A host may log what `init` throws, and go on. */
  #refusal: Error | undefined
  #passesErrors = false

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(given: PgRateLimitStoreOptions = {}) {
    const { prefix = 'rl', ...options } = storeOptions(given, storeOptionNames)
    if (typeof prefix !== 'string') throw new InvalidArgumentError('prefix', 'must be a string', 'Pass "api".')
    const { tenant, onError, denyCache, algorithm, limit, windowMs, ...connection } = options
    const { stash, release } = holdStash(connection)
    this.prefix = prefix
    this.#stash = stash
    this.#release = release
    this.#options = { tenant, onError, denyCache, algorithm, limit, windowMs }
    this.#limiter = this.#make(this.#rulesOf({}))
  }

  /**
   * express-rate-limit: called once, before the first hit, and not awaited. Where it throws, nothing is counted any more, and every hit rejects.
   * @throws {InvalidArgumentError} naming the option that will not do, or where the store belongs to a limiter with other options
   */
  init(host: RateLimitHostOptions): void {
    try {
      if (typeof host !== 'object' || host === null) {
        throw new InvalidArgumentError('options', 'must be an object', 'Pass { windowMs, limit }.')
      }
      if (host.passOnStoreError === true) this.#passesErrors = true
      const rules = this.#rulesOf(host)
      if (this.#rules !== undefined) assertSame(this.#rules, rules)
      else this.#limiter = this.#make(rules)
      this.#rules = rules
    } catch (error) {
      this.#refusal ??= error as Error
      throw error
    }
  }

  /** Counts a hit, of whatever key. */
  async increment(key: string): Promise<ClientRateLimitInfo> {
    try {
      return infoOf(await this.#counting().hit(key))
    } catch (error) {
      if (!this.#passesErrors || !isUncountable(error)) throw error
      return infoOf({ total: Number.MAX_SAFE_INTEGER, resetMs: uncountableForMs })
    }
  }

  /** Takes a hit back, never below none. */
  async decrement(key: string): Promise<void> {
    await this.#counting().takeBack(key)
  }

  /** What was counted of a caller; undefined: nothing. */
  async get(key: string): Promise<ClientRateLimitInfo | undefined> {
    const found = await this.#counting().find(key)
    return found && infoOf(found)
  }

  /** Forgets what was counted of a caller. */
  async resetKey(key: string): Promise<void> {
    await this.#counting().reset(key)
  }

  /** Forgets everybody; of one tenant. */
  async resetAll(): Promise<void> {
    await this.#counting().clear()
  }

  /** Closes the stash if this store opened it. */
  async shutdown(): Promise<void> {
    await this.#release()
  }

  #counting(): HostLimiter {
    if (this.#refusal !== undefined) throw this.#refusal
    return this.#limiter
  }

  #rulesOf({ windowMs, limit, skipFailedRequests, skipSuccessfulRequests }: RateLimitHostOptions): Rules {
    const ownLimit = this.#options.limit ?? (typeof limit === 'number' ? limit : undefined)
    return {
      windowMs: windowOf(windowMs === undefined ? (this.#options.windowMs ?? 60_000) : windowMs),
      limit: ownLimit === undefined ? undefined : hostLimit('limit', ownLimit),
      takesBack: skipFailedRequests !== false || skipSuccessfulRequests !== false,
    }
  }

  #make({ windowMs, limit, takesBack }: Rules): HostLimiter {
    const { tenant, onError, denyCache, algorithm } = this.#options
    const counts = takesBack ? 'every' : undefined
    return new HostLimiter({
      stash: this.#stash,
      name: this.prefix,
      tenant,
      onError,
      denyCache,
      algorithm,
      windowMs,
      limit,
      counts,
    })
  }
}

/** @throws {InvalidArgumentError} what is no time */
function windowOf(windowMs: unknown): number {
  const whole = hostWindow('windowMs', windowMs)
  if (whole > 0 && windowMs !== Number.POSITIVE_INFINITY) return whole
  throw new InvalidArgumentError('windowMs', 'must be a time', 'Pass 60_000 for a minute.')
}

/** Two limiters on one store: were the second one's limit or window to hold, the first one's would not. */
function assertSame(first: Rules, second: Rules): void {
  const { windowMs, limit, takesBack } = second
  if (first.windowMs === windowMs && first.limit === limit && first.takesBack === takesBack) return
  throw new InvalidArgumentError(
    'store',
    'already counts for a limiter with another limit, window or skip option',
    'Make a PgRateLimitStore with a prefix of its own for each limiter.',
  )
}

/** The hosts compare it with the clock of this process. */
function infoOf({ total, resetMs }: HostHits): ClientRateLimitInfo {
  return { totalHits: total, resetTime: new Date(Date.now() + resetMs) }
}
