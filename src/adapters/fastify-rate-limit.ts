/**
 * The store for @fastify/rate-limit.
 *
 * @module
 */

import { callBack, callbackOf } from '../entry/callback'
import { hostLimit, hostWindow, nameWithin } from '../entry/limits/of-host'
import type { TenantSource } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import { holdStash, storeOptions } from '../stash/held-stash'
import { type Counts, HostLimiter, type HostLimiterOptions } from '../stash/limits/host-limiter'
import type { Algorithm, LimiterOptions, RateLimitOnError } from '../stash/limits/rate-limiter'
import { isUncountable, uncountableForMs } from '../stash/limits/uncountable'

export type { Algorithm, RateLimitOnError, TenantSource }

/** What {@link fastifyRateLimitStore} is told. */
export interface FastifyRateLimitStoreOptions extends LimiterOptions {
  /** Tells the limiters of an application apart: two of one name and window count together, of whatever host. Default: `fastify-rate-limit`. */
  readonly prefix?: string | undefined
  /** How the window moves. Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
}

/** What @fastify/rate-limit tells its store, of all routes or of one. */
export interface FastifyRateLimitParams {
  /** A denied hit begins the window anew. */
  readonly continueExceeding?: boolean | undefined
  /** A denied hit makes the window longer, twice as long each time. */
  readonly exponentialBackoff?: boolean | undefined
  /** After so many denied hits the answer is 403. */
  readonly ban?: number | undefined
  /** The limit: a number or a function. */
  readonly max?: unknown
  /** The window: milliseconds, a text as "1 minute", or a function. */
  readonly timeWindow?: unknown
  /** Whether a hit that could not be counted passes. */
  readonly skipOnError?: boolean | undefined
  /** The route that the limit belongs to. */
  readonly routeInfo?:
    | {
        /** One method or several. */
        readonly method?: string | readonly string[] | undefined
        /** Its path, as it was declared. */
        readonly url?: string | undefined
      }
    | undefined
}

/** What a store answers `@fastify/rate-limit`. */
export interface FastifyRateLimitAnswer {
  /** Hits that count now, this one among them. */
  current: number
  /** Milliseconds until the window ends. */
  ttl: number
}

/** How @fastify/rate-limit is answered. */
export type FastifyRateLimitCallback = (error: Error | null, answer?: FastifyRateLimitAnswer) => void

/** A store as @fastify/rate-limit calls it. */
export interface FastifyRateLimitStore {
  /** Counts a hit. */
  incr(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void
  /** What was counted of a caller, without counting a hit. */
  read(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void
  /**
   * The store of one route.
   * @param route what @fastify/rate-limit knows of the route: {@link FastifyRateLimitParams}
   */
  child(route: object): FastifyRateLimitStore
}

/** What `fastify.register(rateLimit, { store })` takes: @fastify/rate-limit makes the store itself. */
export interface FastifyRateLimitStoreClass {
  /** @param params {@link FastifyRateLimitParams} */
  new (params?: object): FastifyRateLimitStore
  /** Closes the stash if this store opened it. */
  close(): Promise<void>
}

/** Limiters kept for one route whose limit or window a function computes; beyond it they are made anew. */
const limitersKept = 100

/** What the stores of one `fastifyRateLimitStore()` have in common. */
interface Shared {
  readonly limiter: Pick<HostLimiterOptions, 'stash' | 'tenant' | 'onError' | 'denyCache' | 'algorithm'>
  /** Handlers made by hand, which the host gives no route. */
  handlers: number
}

const storeOptionNames = ['prefix', 'tenant', 'onError', 'denyCache', 'algorithm']

/**
 * The store for @fastify/rate-limit: `fastify.register(rateLimit, { store: fastifyRateLimitStore({ stash }) })`.
 *
 * With `ban`, `continueExceeding` or `exponentialBackoff`, or where a function gives the limit or the window, every hit is counted in the database, in fixed
 * windows; otherwise those over the limit are answered from memory.
 *
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function fastifyRateLimitStore(options: FastifyRateLimitStoreOptions = {}): FastifyRateLimitStoreClass {
  const given = storeOptions(options, storeOptionNames)
  const { prefix = 'fastify-rate-limit', tenant, onError, denyCache, algorithm, ...connection } = given
  const { stash, release } = holdStash(connection)
  const shared: Shared = { limiter: { stash, tenant, onError, denyCache, algorithm }, handlers: 0 }
  // Tells at once what will not do, not at the first request.
  new HostLimiter({ ...shared.limiter, name: prefix, limit: 1, windowMs: 1 })

  return class extends PgFastifyRateLimitStore {
    static async close(): Promise<void> {
      await release()
    }

    constructor(params: object = {}) {
      super(shared, prefix, assertParams(params))
    }
  }
}

class PgFastifyRateLimitStore implements FastifyRateLimitStore {
  readonly #shared: Shared
  readonly #name: string
  readonly #params: FastifyRateLimitParams
  readonly #counts: Counts | undefined
  /** By limit and window. */
  readonly #limiters = new Map<string, HostLimiter>()

  constructor(shared: Shared, name: string, params: FastifyRateLimitParams) {
    this.#shared = shared
    this.#name = name
    this.#params = params
    this.#counts = countsOf(params)
  }

  incr(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void {
    this.#tell(callback, async () => {
      const windowMs = hostWindow('timeWindow', timeWindow)
      // As in the host's own stores: the window is over before the next hit.
      if (windowMs === 0) return { current: 1, ttl: 0 }
      const { total, resetMs } = await this.#limiter(windowMs, max).hit(key)
      return { current: total, ttl: resetMs }
    })
  }

  read(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void {
    this.#tell(callback, async () => {
      const windowMs = hostWindow('timeWindow', timeWindow)
      const found = windowMs === 0 ? undefined : await this.#limiter(windowMs, max).find(key)
      return found === undefined ? { current: 0, ttl: 0 } : { current: found.total, ttl: found.resetMs }
    })
  }

  /** Counts apart from all other routes, and from handlers that were made before or after. */
  child(route: object): FastifyRateLimitStore {
    const { method, url } = assertParams(route).routeInfo ?? {}
    if (url === undefined) this.#shared.handlers += 1
    const name = url === undefined ? `#${this.#shared.handlers}` : `${String(method)}${url}`
    return new PgFastifyRateLimitStore(this.#shared, nameWithin(this.#name, name), route)
  }

  #limiter(windowMs: number, max: unknown): HostLimiter {
    // The host decides by the total: what counts every hit needs no limit, unless hits over it begin the window anew.
    const limit = this.#counts === 'every' ? undefined : limitOf(max)
    const id = `${windowMs}/${limit}`
    const known = this.#limiters.get(id)
    if (known !== undefined) return known
    if (this.#limiters.size >= limitersKept) this.#limiters.clear()
    const limiter = new HostLimiter({
      ...this.#shared.limiter,
      name: this.#name,
      windowMs,
      limit,
      counts: limit === undefined ? 'every' : this.#counts,
      // Such windows are fixed ones.
      algorithm: this.#counts === undefined ? this.#shared.limiter.algorithm : 'fixed-window',
      // A window that a function computes anew must not begin a new count each time.
      sharesWindows: typeof this.#params.timeWindow === 'function',
    })
    this.#limiters.set(id, limiter)
    return limiter
  }

  #tell(callback: FastifyRateLimitCallback, ask: () => Promise<FastifyRateLimitAnswer>): void {
    const told = callbackOf(callback)
    ask().then(
      (answer) => told && callBack(told, null, answer),
      (error: Error) => told && callBack(told, ...this.#refusal(error)),
    )
  }

  #refusal(error: Error): [Error] | [null, FastifyRateLimitAnswer] {
    if (this.#params.skipOnError !== true || !isUncountable(error)) return [error]
    return [null, { current: Number.MAX_SAFE_INTEGER, ttl: uncountableForMs }]
  }
}

/** Which hits count in the database whatever the limit says: where the host goes on by their number, or has not one limit for all of them. */
function countsOf(params: FastifyRateLimitParams): Counts | undefined {
  const { ban, max, timeWindow, continueExceeding, exponentialBackoff } = params
  if (continueExceeding) return 'extending'
  if (exponentialBackoff) return 'doubling'
  return typeof max === 'number' && typeof timeWindow !== 'function' && (ban ?? -1) < 0 ? undefined : 'every'
}

/** undefined: what no number of hits exceeds, to the host as well. */
function limitOf(max: unknown): number | undefined {
  return typeof max === 'number' && !Number.isNaN(max) ? hostLimit('max', max) : undefined
}

/** @throws {InvalidArgumentError} what the host never says */
function assertParams(params: unknown): FastifyRateLimitParams {
  if (typeof params !== 'object' || params === null) {
    throw new InvalidArgumentError('params', 'must be an object', 'Pass the options of the route, or {}.')
  }
  const { ban, routeInfo } = params as { ban?: unknown; routeInfo?: unknown }
  if (ban !== undefined && ban !== null) assertNumber('ban', ban)
  if (routeInfo !== undefined && routeInfo !== null) assertRoute(routeInfo)
  return params
}

function assertRoute(route: object): void {
  const { method, url } = route as { method?: unknown; url?: unknown }
  const methods = Array.isArray(method) ? method : [method ?? '']
  if ([...methods, url ?? ''].every((text) => typeof text === 'string')) return
  throw new InvalidArgumentError('routeInfo', 'must be that of a route', 'Pass { method, url }, both as text.')
}

function assertNumber(field: string, value: unknown): void {
  if (typeof value === 'number') return
  throw new InvalidArgumentError(field, 'must be a number', 'Let @fastify/rate-limit pass it.')
}
