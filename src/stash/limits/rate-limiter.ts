import type { CallOptions } from '../../coalescing/call'
import { assertKnown } from '../../entry/known-options'
import { countedKey } from '../../entry/limits/counted-key'
import { type Algorithm, type Limit, resolveCost, resolveLimit } from '../../entry/limits/limit'
import { namespaceName } from '../../entry/namespace'
import type { TenantSource } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import type { BlockRule } from '../../postgres/limits/table'
import { holdStash, storeOptions } from '../held-stash'
import type { PgStashOptions } from '../options/told'
import type { PgStash } from '../pg-stash'
import { LimitDecisions } from './decisions'
import type { DenyCacheOptions } from './denials'
import type { LimitedCounter } from './limited-counter'
import type { RateLimitOnError } from './local-decisions'
import type { RateLimitResult } from './result'

export type { Algorithm, DenyCacheOptions, RateLimitOnError, RateLimitResult }

/** So many hits in so many milliseconds. */
export interface LimitOptions {
  /** Hits in a window. */
  readonly limit: number
  /** The window, in milliseconds. */
  readonly windowMs: number
  /** How the window moves. Default: that of the limiter. */
  readonly algorithm?: Algorithm | undefined
  /** In the headers. Default: the limiter's name, with a number where there are several. */
  readonly name?: string | undefined
}

/** What a denial starts: a time in which everything is denied. */
export interface BlockOptions {
  /** Milliseconds of the first block; the next one lasts twice as long, and so on. */
  readonly blockMs: number
  /** No block lasts longer. Default: `blockMs`: all are equally long. */
  readonly maxBlockMs?: number | undefined
  /** After so many milliseconds without a block the next one is a first one. Default: 24 hours. */
  readonly forgetMs?: number | undefined
  /** Whether a denial during a block is a further block. It then is not answered from memory. Default: false. */
  readonly isExtended?: boolean | undefined
}

/** What the limiters have in common. */
export interface LimiterOptions extends Omit<PgStashOptions, 'onError'> {
  /** A stash to share. Default: the connection options among these open one, which `close()` closes. */
  readonly stash?: PgStash | undefined
  /** Whose callers; a function is asked at every call. Default: the tenant `default`. */
  readonly tenant?: TenantSource | undefined
  /** What happens while the database is away. Default: `throw`. */
  readonly onError?: RateLimitOnError | undefined
  /** How much is remembered of those who were denied; false: nothing. Default: 10,000 callers, each for 10 seconds at most. */
  readonly denyCache?: DenyCacheOptions | false | undefined
}

/** What a {@link RateLimiter} is told. */
export interface RateLimiterOptions extends LimiterOptions {
  /** Tells limiters apart: those of one name and the same limits share what they count. Default: `rate-limit`. */
  readonly name?: string | undefined
  /** Hits in a window. Default: none, `limits` is given. */
  readonly limit?: number | undefined
  /** The window, in milliseconds. Default: none, `limits` is given. */
  readonly windowMs?: number | undefined
  /** How the window moves: see {@link Algorithm}. Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
  /**
   * Several at once, for example 3 a minute and 100 an hour: a hit counts in all of them, or is denied and counts in none. Default: one, of `limit` and
   * `windowMs`.
   */
  readonly limits?: readonly LimitOptions[] | undefined
  /**
   * Whether limiters of one name and algorithm count together whatever their windows: for a window that a function computes anew. The window under way goes on.
   * Default: false.
   */
  readonly sharesWindows?: boolean | undefined
  /** What a denial starts. Default: nothing. */
  readonly block?: BlockOptions | undefined
}

/** Of `consume` and `peek`. */
export interface ConsumeOptions extends CallOptions {
  /** For how many hits it counts. Default: 1. */
  readonly cost?: number | undefined
}

const oneDayMs = 86_400_000

interface NamedLimit {
  readonly name: string
  readonly namespace: string
  readonly limit: Limit
}

const limiterOptionNames = [
  ...['name', 'tenant', 'onError', 'denyCache', 'algorithm'],
  ...['limit', 'windowMs', 'limits', 'sharesWindows', 'block'],
]

/**
 * Counts hits of callers, and says who has had enough. What counts is the database's clock, for all processes; each decision is one
 * statement, in which the concurrent hits of this process travel together, each with an answer of its own. Hits that are denied are not counted.
 *
 * @example
 * const limiter = new RateLimiter({ stash, name: 'search', limit: 100, windowMs: 60_000 })
 * const { isAllowed, retryAfterMs } = await limiter.consume(userId)
 */
export class RateLimiter {
  /** As it was given, or `rate-limit`. */
  readonly name: string
  readonly #limits: readonly NamedLimit[]
  readonly #block: BlockRule | undefined
  readonly #decisions: LimitDecisions
  readonly #end: () => Promise<void>

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: RateLimiterOptions) {
    const {
      tenant,
      onError,
      denyCache,
      name,
      limit,
      windowMs,
      algorithm,
      limits,
      sharesWindows,
      block,
      ...connection
    } = storeOptions(options, limiterOptionNames)
    this.name = limiterName(name ?? 'rate-limit')
    if (limits !== undefined && (limit !== undefined || windowMs !== undefined)) {
      throw new InvalidArgumentError('limit and limits', 'exclude each other', 'Put it into limits.')
    }
    const given = limits ?? [{ limit: limit as number, windowMs: windowMs as number }]
    this.#limits = namedLimits(this.name, given, algorithm, sharesWindows === true)
    this.#block = block === undefined ? undefined : blockRule(block)
    const { stash, release } = holdStash(connection)
    // What extends a block has to be told of every denial.
    const remembers = this.#block?.isExtended ? false : denyCache
    this.#decisions = new LimitDecisions(stash, { limiter: this.name, tenant, onError, denyCache: remembers })
    this.#end = release
  }

  /** Counts a hit if it is allowed, and says whether it is. */
  async consume(key: string, options?: ConsumeOptions): Promise<RateLimitResult> {
    return this.#decisions.consume(this.#countersOf(key), costOf(options), options)
  }

  /** Says where a caller stands, and counts nothing. */
  async peek(key: string, options?: ConsumeOptions): Promise<RateLimitResult> {
    return this.#decisions.peek(this.#countersOf(key), costOf(options), options)
  }

  /** Counts `hits` whatever the limit says. */
  async penalty(key: string, hits = 1, options?: CallOptions): Promise<RateLimitResult> {
    return this.#decisions.adjust(this.#countersOf(key), resolveCost(hits, 'hits'), options)
  }

  /** Takes `hits` back, never below none. */
  async reward(key: string, hits = 1, options?: CallOptions): Promise<RateLimitResult> {
    return this.#decisions.adjust(this.#countersOf(key), -resolveCost(hits, 'hits'), options)
  }

  /** Forgets what was counted of a caller, and blocks. Other processes may still deny it for `denyCache.maxMs`. */
  async reset(key: string, options?: CallOptions): Promise<void> {
    await this.#decisions.reset(this.#countersOf(key), options)
  }

  /** Forgets everybody; of one tenant. */
  async clear(options?: CallOptions): Promise<void> {
    await this.#decisions.clear(
      this.#limits.map(({ namespace }) => namespace),
      options,
    )
  }

  /** Closes the stash if this limiter opened it. */
  async close(): Promise<void> {
    await this.#end()
  }

  #countersOf(key: string): LimitedCounter[] {
    const stored = countedKey(assertText(key))
    const block = this.#block
    // Field by field: a spread took a seventh of the time of a hit.
    return this.#limits.map(({ name, namespace, limit }) => ({
      key: stored.key,
      longKey: stored.longKey,
      name,
      namespace,
      limit,
      block,
    }))
  }
}

/** The name of a limiter, and what has to be the same for two of them to share what they count. */
export function counterNamespace(name: string, { algorithm, windowMs }: Limit, sharesWindows = false): string {
  return `${name}/${algorithm}/${sharesWindows ? 'any' : windowMs}`
}

/** @throws {InvalidArgumentError} empty, or what is no name of a namespace */
export function limiterName(name: unknown): string {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError('name', 'must be a non-empty string', 'Name the limiter, for example "search".')
  }
  return namespaceName(name)
}

const blockOptionNames: ReadonlySet<string> = new Set(['blockMs', 'maxBlockMs', 'forgetMs', 'isExtended'])

/** @throws {InvalidArgumentError} */
export function blockRule(options: BlockOptions): BlockRule {
  assertKnown('block', options, blockOptionNames)
  const { blockMs, maxBlockMs, forgetMs, isExtended } = options
  const first = duration('block.blockMs', blockMs)
  const longest = duration('block.maxBlockMs', maxBlockMs ?? first)
  if (longest < first) throw new InvalidArgumentError('block.maxBlockMs', 'is less than blockMs', 'Raise it.')
  return {
    blockMs: first,
    maxBlockMs: longest,
    forgetMs: forgetMs === 0 ? 0 : duration('block.forgetMs', forgetMs ?? oneDayMs),
    isExtended: isExtended === true,
  }
}

const limitOptionNames: ReadonlySet<string> = new Set(['limit', 'windowMs', 'algorithm', 'name'])

function namedLimits(
  name: string,
  limits: readonly LimitOptions[],
  algorithm: Algorithm | undefined,
  sharesWindows: boolean,
): NamedLimit[] {
  if (!Array.isArray(limits) || limits.length === 0) {
    throw new InvalidArgumentError('limits', 'must be an array of one or more', 'Pass [{ limit, windowMs }].')
  }
  const named = limits.map((options: LimitOptions, at) => {
    assertKnown('limits', options, limitOptionNames)
    const limit = resolveLimit(options?.limit, options?.windowMs, options?.algorithm ?? algorithm)
    const own = options.name ?? (limits.length === 1 ? name : `${name}-${at + 1}`)
    const namespace = counterNamespace(name, limit, sharesWindows)
    if (typeof own !== 'string') throw new InvalidArgumentError('name', 'must be a string', 'It goes into the headers.')
    return { name: own, namespace, limit }
  })
  if (new Set(named.map(({ namespace }) => namespace)).size === named.length) return named
  throw new InvalidArgumentError('limits', 'have one window twice', 'Keep the lower limit of the two.')
}

const consumeOptionNames: ReadonlySet<string> = new Set(['cost', 'signal'])

function costOf(options: ConsumeOptions | undefined): number {
  if (options === undefined) return 1
  assertKnown('options', options, consumeOptionNames)
  return resolveCost(options.cost)
}

/** @throws {InvalidArgumentError} no string: whom that would count is left to the caller to say */
function assertText(key: unknown): string {
  if (typeof key === 'string') return key
  throw new InvalidArgumentError(
    'key',
    `must be a string (this is of type ${typeof key})`,
    'Convert it with String(key).',
  )
}

function duration(field: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError(field, 'must be a whole number of milliseconds', 'Pass 1 or more.')
}
