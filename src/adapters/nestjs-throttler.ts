/**
 * The storage for @nestjs/throttler.
 *
 * @module
 */

import { keptName, ownCopy } from '../entry/kept-name'
import { callerText } from '../entry/limits/counted-key'
import { maxLimit } from '../entry/limits/limit'
import { hostLimit, hostWindow, nameWithin } from '../entry/limits/of-host'
import type { TenantSource } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import { holdStash, storeOptions } from '../stash/held-stash'
import { type Algorithm, type LimiterOptions, RateLimiter, type RateLimitOnError } from '../stash/limits/rate-limiter'
import type { PgStash } from '../stash/pg-stash'

export type { Algorithm, RateLimitOnError, TenantSource }

/** What a {@link PgThrottlerStorage} is told. */
export interface PgThrottlerStorageOptions extends LimiterOptions {
  /** Tells the throttlers of several applications apart. Default: `throttler`. */
  readonly prefix?: string | undefined
  /** How the window moves. Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
}

/** What a storage answers `@nestjs/throttler`; times in seconds. */
export interface ThrottlerRecord {
  /** Hits that count now, this one among them. */
  totalHits: number
  /** Seconds until the window ends. */
  timeToExpire: number
  /** Whether the caller is denied. */
  isBlocked: boolean
  /** Seconds until the caller may come again. */
  timeToBlockExpire: number
}

/** Limiters kept: one for each limit, window and block that the throttlers name, which may be functions. */
const limitersKept = 1_000

/** Limiters that remember denials: each of them as many as `denyCache` says, and where a function names limits without end there are too many of them. */
const rememberingLimiters = 10

/** Callers whose window is remembered, where another one would count apart. */
const windowsKept = 1_000

/** What the throttlers name, in whole numbers. */
interface Rules {
  readonly name: string
  readonly windowMs: number
  readonly blockMs: number
  readonly limit: number
}

const storeOptionNames = ['prefix', 'tenant', 'onError', 'denyCache', 'algorithm']

/**
 * The storage for @nestjs/throttler: `ThrottlerModule.forRoot({ throttlers: […], storage: new PgThrottlerStorage({ stash }) })`.
 */
export class PgThrottlerStorage {
  readonly #stash: PgStash
  readonly #release: () => Promise<void>
  readonly #prefix: string
  readonly #shared: Pick<LimiterOptions, 'tenant' | 'onError' | 'denyCache'> & {
    readonly algorithm: Algorithm | undefined
  }
  readonly #limiters = new Map<string, RateLimiter>()
  readonly #windows = new Map<string, number>()

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(given: PgThrottlerStorageOptions = {}) {
    const { prefix = 'throttler', ...options } = storeOptions(given, storeOptionNames)
    const { tenant, onError, denyCache, algorithm, ...connection } = options
    const { stash, release } = holdStash(connection)
    this.#stash = stash
    this.#release = release
    this.#prefix = prefix
    this.#shared = { tenant, onError, denyCache, algorithm }
    // Tells at once what will not do, not at the first request.
    new RateLimiter({ ...this.#shared, stash, name: prefix, limit: 1, windowMs: 1 })
  }

  /**
   * Counts a hit of whatever key, for `@nestjs/throttler`; `ttl` and `blockDuration` in milliseconds. Who exceeds the limit is blocked for `blockDuration` (0: until
   * the window ends), and begins anew after that.
   */
  async increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord> {
    const rules = rulesOf(ttl, limit, blockDuration, throttlerName)
    // As in the host's own storage: the window is over before the next hit.
    if (rules.windowMs === 0) return recordOf(1, 0, rules.limit < 1 ? Math.max(1, rules.blockMs) : 0)
    const caller = callerText(key)
    if (this.#shared.algorithm === 'sliding-window') this.#assertWindowStays(caller, rules)
    const { isAllowed, used, resetMs, retryAfterMs } = await this.#limiter(rules).consume(caller)
    return isAllowed ? recordOf(Math.max(1, used), resetMs, 0) : recordOf(rules.limit + 1, resetMs, retryAfterMs)
  }

  /** Nest calls it where shutdown hooks are enabled. Closes the stash if this storage opened it. */
  async onApplicationShutdown(): Promise<void> {
    await this.#release()
  }

  #limiter({ name, windowMs, limit, blockMs }: Rules): RateLimiter {
    const id = `${name}\0${windowMs}\0${limit}\0${blockMs}`
    const known = this.#limiters.get(id)
    if (known !== undefined) return known
    if (this.#limiters.size >= limitersKept) this.#limiters.clear()
    const { denyCache } = this.#shared
    const limiter = new RateLimiter({
      ...this.#shared,
      denyCache: this.#limiters.size < rememberingLimiters ? denyCache : false,
      stash: this.#stash,
      name: nameWithin(this.#prefix, name),
      limit,
      windowMs,
      block: blockMs > 0 ? { blockMs, forgetMs: 0 } : undefined,
      // The ttl may be a function: a window that it computes anew must not begin a new count each time.
      sharesWindows: this.#shared.algorithm !== 'sliding-window',
    })
    this.#limiters.set(id, limiter)
    return limiter
  }

  /**
   * Sliding windows begin at multiples of their length, so each length has to count apart.
   * @throws {InvalidArgumentError} a caller who would begin anew with every window
   */
  #assertWindowStays(caller: string, { name, windowMs }: Rules): void {
    const id = keptName(`ttl\0${name}\0${caller}`)
    if ((this.#windows.get(id) ?? windowMs) !== windowMs) {
      throw new InvalidArgumentError(
        'ttl',
        'changes from one request to the next, which a sliding window cannot count',
        'Use the algorithm fixed-window or gcra.',
      )
    }
    if (this.#windows.size >= windowsKept) this.#windows.clear()
    this.#windows.set(ownCopy(id), windowMs)
  }
}

/**
 * In the host's own storage a hit that exceeds the limit begins a block, so 2.5 lets in 2; without blocks it is one more than there is room for, so 2.5 lets in 3.
 * @throws {InvalidArgumentError} what is no number
 */
function rulesOf(ttl: unknown, limit: unknown, blockDuration: unknown, name: unknown): Rules {
  const blockMs = blockDuration === undefined ? 0 : hostWindow('blockDuration', blockDuration)
  const whole = blockMs === 0 && typeof limit === 'number' ? Math.ceil(limit) : limit
  return {
    name: callerText(name),
    windowMs: hostWindow('ttl', ttl),
    blockMs,
    limit: hostLimit('limit', whole) ?? maxLimit,
  }
}

/** @param blockedMs 0: not blocked */
function recordOf(totalHits: number, resetMs: number, blockedMs: number): ThrottlerRecord {
  const isBlocked = blockedMs > 0
  return { totalHits, timeToExpire: seconds(resetMs), isBlocked, timeToBlockExpire: seconds(blockedMs) }
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}
