import type { TenantSource } from '../entry/tenant'
import { holdStash } from '../stash/pg-stash'
import {
  type Algorithm,
  type BlockOptions,
  type LimiterOptions,
  RateLimiter,
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
  child(route: FastifyRateLimitParams): FastifyRateLimitStore
}

/** What `fastify.register(rateLimit, { store })` takes: @fastify/rate-limit makes the store itself. */
export interface FastifyRateLimitStoreClass {
  new (params?: FastifyRateLimitParams): FastifyRateLimitStore
  /** Closes the stash if this store opened it. */
  close(): Promise<void>
}

/** Where hits over the limit count too: more than anybody sends. */
const countWithoutEnd = 1_000_000_000

/** @fastify/rate-limit doubles the window up to Number.MAX_SAFE_INTEGER; a hundred years are as long to anybody. */
const longestBackoffMs = 3_155_760_000_000

/**
 * The store for @fastify/rate-limit: `fastify.register(rateLimit, { store: fastifyRateLimitStore({ stash }) })`.
 *
 * With `ban`, `continueExceeding` or `exponentialBackoff` the host has to be told of every hit over the limit, so those are counted in the database; otherwise
 * they are answered from memory.
 *
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function fastifyRateLimitStore(options: FastifyRateLimitStoreOptions = {}): FastifyRateLimitStoreClass {
  const { prefix = 'fastify-rate-limit', tenant, onError, denyCache, algorithm, ...connection } = options
  const { stash, isOwned } = holdStash(connection)
  const shared = { stash, tenant, onError, denyCache, algorithm }
  // Tells at once what will not do, not at the first request.
  new RateLimiter({ ...shared, name: prefix, limit: 1, windowMs: 1 })

  return class PgFastifyRateLimitStore implements FastifyRateLimitStore {
    static async close(): Promise<void> {
      if (isOwned) await stash.close()
    }

    readonly #name: string
    readonly #params: FastifyRateLimitParams
    /** By limit and window, which the host may ask a function for. */
    readonly #limiters = new Map<string, RateLimiter>()

    constructor(params: FastifyRateLimitParams = {}, name: string = prefix) {
      this.#name = name
      this.#params = params
    }

    incr(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void {
      tell(
        callback,
        () => this.#limiter(timeWindow, max).consume(key),
        (result) => counted(result),
      )
    }

    read(key: string, callback: FastifyRateLimitCallback, timeWindow: number, max: number): void {
      const standing = ({ used, resetMs }: RateLimitResult) =>
        used === 0 ? { current: 0, ttl: 0 } : { current: used, ttl: resetMs }
      tell(callback, () => this.#limiter(timeWindow, max).peek(key), standing)
    }

    /** Counts apart from all other routes. */
    child(route: FastifyRateLimitParams): FastifyRateLimitStore {
      const { method = '', url = '' } = route.routeInfo ?? {}
      return new PgFastifyRateLimitStore(route, `${this.#name}/${String(method)}${url}`)
    }

    #limiter(windowMs: number, max: number): RateLimiter {
      const id = `${windowMs}/${max}`
      const known = this.#limiters.get(id)
      if (known !== undefined) return known
      const block = blockOf(this.#params, windowMs)
      const limit = block === undefined && (this.#params.ban ?? -1) >= 0 ? countWithoutEnd : max
      const limiter = new RateLimiter({ ...shared, name: this.#name, limit, windowMs, block })
      this.#limiters.set(id, limiter)
      return limiter
    }
  }
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

function counted({
  isAllowed,
  used,
  limit,
  resetMs,
  retryAfterMs,
  strikes,
  denials,
}: RateLimitResult): FastifyRateLimitAnswer {
  if (isAllowed) return { current: Math.max(1, used), ttl: resetMs }
  return { current: limit + Math.max(strikes, denials), ttl: retryAfterMs }
}

function tell(
  callback: FastifyRateLimitCallback,
  ask: () => Promise<RateLimitResult>,
  answer: (result: RateLimitResult) => FastifyRateLimitAnswer,
): void {
  // By nextTick: what the callback throws is the host's.
  new Promise<RateLimitResult>((resolve) => resolve(ask())).then(
    (result) => process.nextTick(callback, null, answer(result)),
    (error: Error) => process.nextTick(callback, error),
  )
}
