import { callBack, callbackOf } from '../entry/callback'
import { storedKey } from '../entry/key'
import { resolveTenant, type TenantSource } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import { DeniedHits } from '../stash/denied-hits'
import { assertStoreOptions, holdStash } from '../stash/pg-stash'
import {
  type Algorithm,
  type BlockOptions,
  type LimiterOptions,
  RateLimiter,
  type RateLimiterOptions,
  type RateLimitOnError,
  type RateLimitResult,
} from '../stash/rate-limiter'

export type { Algorithm, RateLimitOnError, TenantSource }

export interface FastifyRateLimitStoreOptions extends LimiterOptions {
  /** Tells the limiters of an application apart: two of one name and window count together, of whatever host. Default: `fastify-rate-limit`. */
  readonly prefix?: string | undefined
  /** Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
}

/** What @fastify/rate-limit tells its store, of all routes or of one. */
export interface FastifyRateLimitParams {
  readonly continueExceeding?: boolean | undefined
  readonly exponentialBackoff?: boolean | undefined
  readonly ban?: number | undefined
  readonly timeWindow?: unknown
  readonly routeInfo?:
    | { readonly method?: string | readonly string[] | undefined; readonly url?: string | undefined }
    | undefined
}

/** @fastify/rate-limit: what a store answers; `ttl` in milliseconds. */
export interface FastifyRateLimitAnswer {
  current: number
  ttl: number
}

export type FastifyRateLimitCallback = (error: Error | null, answer?: FastifyRateLimitAnswer) => void

/** A store as @fastify/rate-limit calls it. */
export interface FastifyRateLimitStore {
  incr(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void
  read(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void
  /** @param route what @fastify/rate-limit knows of the route: {@link FastifyRateLimitParams} */
  child(route: object): FastifyRateLimitStore
}

/** What `fastify.register(rateLimit, { store })` takes: @fastify/rate-limit makes the store itself. */
export interface FastifyRateLimitStoreClass {
  /** @param params {@link FastifyRateLimitParams} */
  new (params?: object): FastifyRateLimitStore
  /** Closes the stash if this store opened it. */
  close(): Promise<void>
}

/** Where hits over the limit count too: more than anybody sends. */
const countWithoutEnd = 1_000_000_000

/** @fastify/rate-limit doubles the window up to Number.MAX_SAFE_INTEGER; a hundred years are as long to anybody. */
const longestBackoffMs = 3_155_760_000_000

/** Limiters kept for one route whose limit or window a function computes; beyond it they are made anew. */
const limitersKept = 100

/** A name of a limiter has room for so much; longer ones become a digest, as long keys do. */
const longestName = 300

/** What the stores of one `fastifyRateLimitStore()` have in common. */
interface Shared {
  readonly limiter: Pick<RateLimiterOptions, 'stash' | 'tenant' | 'onError' | 'denyCache' | 'algorithm'>
  /** Handlers made by hand, which the host gives no route. */
  handlers: number
}

/**
 * The store for @fastify/rate-limit: `fastify.register(rateLimit, { store: fastifyRateLimitStore({ stash }) })`.
 *
 * With `ban`, `continueExceeding` or `exponentialBackoff` the host has to be told of every hit over the limit, so those are counted in the database, in fixed
 * windows; otherwise they are answered from memory.
 *
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function fastifyRateLimitStore(options: FastifyRateLimitStoreOptions = {}): FastifyRateLimitStoreClass {
  assertStoreOptions(options)
  const { prefix = 'fastify-rate-limit', tenant, onError, denyCache, algorithm, ...connection } = options
  const { stash, isOwned } = holdStash(connection)
  const shared: Shared = { limiter: { stash, tenant, onError, denyCache, algorithm }, handlers: 0 }
  // Tells at once what will not do, not at the first request.
  new RateLimiter({ ...shared.limiter, name: prefix, limit: 1, windowMs: 1 })

  return class extends PgFastifyRateLimitStore {
    static async close(): Promise<void> {
      if (isOwned) await stash.close()
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
  readonly #denied = new DeniedHits()
  /** By limit and window. */
  readonly #limiters = new Map<string, RateLimiter>()

  constructor(shared: Shared, name: string, params: FastifyRateLimitParams) {
    this.#shared = shared
    this.#name = name
    this.#params = params
  }

  incr(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void {
    const ask = () => this.#limiter(timeWindow, max).consume(key)
    tell(callback, ask, (result) => this.#counted(key, result, max))
  }

  read(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void {
    const ask = () => this.#limiter(timeWindow, max).peek(key)
    tell(callback, ask, ({ used, strikes, isBlocked, resetMs }) => {
      const current = used + (isBlocked ? strikes : this.#denied.count(this.#callerOf(key)))
      return current === 0 ? { current, ttl: 0 } : { current, ttl: resetMs }
    })
  }

  /** Counts apart from all other routes, and from handlers that were made before or after. */
  child(route: object): FastifyRateLimitStore {
    const { method, url } = assertParams(route).routeInfo ?? {}
    if (url === undefined) this.#shared.handlers += 1
    const name = url === undefined ? `#${this.#shared.handlers}` : `${String(method)}${url}`
    return new PgFastifyRateLimitStore(this.#shared, childName(this.#name, name), route)
  }

  #counted(key: string, result: RateLimitResult, max: number): FastifyRateLimitAnswer {
    const { isAllowed, used, strikes, resetMs, retryAfterMs } = result
    if (isAllowed) return { current: Math.max(1, used), ttl: resetMs }
    const over = strikes > 0 ? strikes : this.#denied.add(this.#callerOf(key), resetMs)
    return { current: max + over, ttl: retryAfterMs }
  }

  #callerOf(key: string): string {
    return `${resolveTenant(this.#shared.limiter.tenant)}\0${key}`
  }

  #limiter(timeWindow: number, max: number): RateLimiter {
    const windowMs = Math.max(1, Math.ceil(assertNumber('timeWindow', timeWindow)))
    const id = `${windowMs}/${assertNumber('max', max)}`
    const known = this.#limiters.get(id)
    if (known !== undefined) return known
    if (this.#limiters.size >= limitersKept) this.#limiters.clear()
    const limiter = new RateLimiter({ ...this.#shared.limiter, name: this.#name, ...this.#rules(windowMs, max) })
    this.#limiters.set(id, limiter)
    return limiter
  }

  #rules(windowMs: number, max: number): RateLimiterOptions {
    const block = blockOf(this.#params, windowMs)
    const counts = block === undefined && (this.#params.ban ?? -1) >= 0
    // A window that a function computes anew must not begin a new count each time.
    const sharesWindows = typeof this.#params.timeWindow === 'function'
    if (!counts) return { limit: max, windowMs, block, sharesWindows }
    return { limit: countWithoutEnd, windowMs, sharesWindows, algorithm: 'fixed-window' }
  }
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

function assertNumber(field: string, value: unknown): number {
  if (typeof value === 'number') return value
  throw new InvalidArgumentError(field, 'must be a number', 'Let @fastify/rate-limit pass it.')
}

/** Any URL of a route will do: it becomes a name. */
function childName(parent: string, route: string): string {
  const name = `${parent}/${route.replaceAll('@', '%40')}`
  return name.length <= longestName ? name : storedKey('x'.repeat(1_024) + name).key
}

/** @fastify/rate-limit: who goes on is kept out for another window, or for twice as long each time. */
function blockOf(
  { continueExceeding, exponentialBackoff }: FastifyRateLimitParams,
  windowMs: number,
): BlockOptions | undefined {
  if (!continueExceeding && !exponentialBackoff) return undefined
  const maxBlockMs = continueExceeding ? windowMs : longestBackoffMs
  return { blockMs: windowMs, maxBlockMs, forgetMs: 0, isExtended: true }
}

function tell(
  callback: FastifyRateLimitCallback,
  ask: () => Promise<RateLimitResult>,
  answer: (result: RateLimitResult) => FastifyRateLimitAnswer,
): void {
  const told = callbackOf(callback)
  new Promise<RateLimitResult>((resolve) => resolve(ask())).then(answer).then(
    (result) => told && callBack(told, null, result),
    (error: Error) => told && callBack(told, error),
  )
}
