import { callerText, countedKey } from '../../entry/limits/counted-key'
import { type Algorithm, maxLimit, resolveLimit } from '../../entry/limits/limit'
import { resolveTenant, type TenantSource } from '../../entry/tenant'
import type { Counts } from '../../postgres/limits/table'
import type { PgStash } from '../pg-stash'
import { type DecisionOptions, LimitDecisions } from './decisions'
import { DeniedHits } from './denied-hits'
import type { LimitedCounter } from './limited-counter'
import { counterNamespace, limiterName } from './rate-limiter'
import type { RateLimitResult } from './result'

export type { Counts }

export interface HostLimiterOptions extends Omit<DecisionOptions, 'limiter'> {
  readonly stash: PgStash
  readonly name: string
  /** Default: `fixed-window`. */
  readonly algorithm?: Algorithm | undefined
  readonly windowMs: number
  /** undefined: nobody knows it, or nobody reaches it. */
  readonly limit: number | undefined
  /** Where windows are fixed. Default: those count that fit, and denials are answered from memory. */
  readonly counts?: Counts | undefined
  /** Whether limiters of one name count together whatever their windows. */
  readonly sharesWindows?: boolean | undefined
}

/** What a host is told of a caller. */
export interface HostHits {
  /** This hit with those before it, also those over the limit: the host decides by it. */
  readonly total: number
  /** Until the window ends, or there is room again. */
  readonly resetMs: number
}

/**
 * A limiter whose host decides by the number of hits, and counts hits over the limit like others. A host that takes hits back names the caller and not the hit:
 * were a denial not counted and then taken back, the caller would have another try. So each hit is counted in the database; but where the host never takes back
 * and has one limit, or the algorithm is of another kind than the host's own, those over the limit are counted by this process alone, which is the one that
 * takes them back.
 */
export class HostLimiter {
  readonly #decisions: LimitDecisions
  readonly #counter: Omit<LimitedCounter, 'key' | 'longKey'>
  readonly #tenant: TenantSource | undefined
  readonly #denied = new DeniedHits()
  readonly #forgetsDenied: boolean

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: HostLimiterOptions) {
    const { stash, tenant, onError, denyCache } = options
    const name = limiterName(options.name)
    // GCRA reckons with the limit, and a sliding window says by it when there is room again.
    const isReckonable = options.limit !== undefined && options.limit > 0
    const algorithm = isReckonable ? options.algorithm : 'fixed-window'
    const limit = resolveLimit(options.limit ?? maxLimit, options.windowMs, algorithm)
    // The others would shut out for long whoever goes on while he is denied.
    const isFixed = limit.algorithm === 'fixed-window'
    const counts = isFixed ? (options.counts ?? (options.limit === undefined ? 'every' : undefined)) : undefined
    const namespace = counterNamespace(name, limit, options.sharesWindows === true)
    this.#counter = { name, namespace, limit, block: undefined, counts }
    this.#tenant = tenant
    this.#forgetsDenied = isFixed && counts === undefined
    const remembers = counts === undefined ? denyCache : false
    this.#decisions = new LimitDecisions(stash, { limiter: name, tenant, onError, denyCache: remembers })
  }

  /** Counts a hit. */
  async hit(key: unknown): Promise<HostHits> {
    const counter = this.#counterOf(key)
    const caller = this.#callerOf(counter)
    const result = await this.#decisions.consume([counter], 1)
    const { isAllowed, used, limit, retryAfterMs } = result
    const isCounted = isAllowed || (counter.counts !== undefined && used > limit)
    if (!isCounted) return { total: limit + this.#denied.add(caller, retryAfterMs), resetMs: retryAfterMs }
    this.#noteCounted(caller, result)
    return { total: Math.max(1, used), resetMs: result.resetMs }
  }

  /** Takes a hit back, never below none: one that is not counted, if there is one. */
  async takeBack(key: unknown): Promise<void> {
    const counter = this.#counterOf(key)
    if (!this.#denied.takeBack(this.#callerOf(counter))) await this.#decisions.adjust([counter], -1)
  }

  /** undefined: nothing was counted. */
  async find(key: unknown): Promise<HostHits | undefined> {
    const counter = this.#counterOf(key)
    const denied = this.#denied.count(this.#callerOf(counter))
    const found = await this.#decisions.find(counter)
    if (found === undefined && denied === 0) return undefined
    return { total: (found?.used ?? 0) + denied, resetMs: found?.resetMs ?? this.#counter.limit.windowMs }
  }

  async reset(key: unknown): Promise<void> {
    const counter = this.#counterOf(key)
    this.#denied.forget(this.#callerOf(counter))
    await this.#decisions.reset([counter])
  }

  /** Forgets everybody; of one tenant. */
  async clear(): Promise<void> {
    this.#denied.forgetAll()
    await this.#decisions.clear([this.#counter.namespace])
  }

  /** What was let in while the database was away is not counted; who is let in by a fixed window has no denials left in it. */
  #noteCounted(caller: string, result: RateLimitResult): void {
    if (this.#decisions.wasDecidedHere(result) && result.used === 0) this.#denied.add(caller, result.resetMs)
    else if (!this.#denied.isEmpty && this.#forgetsDenied) this.#denied.forget(caller)
  }

  #counterOf(key: unknown): LimitedCounter {
    const { key: stored, longKey } = countedKey(callerText(key))
    const { name, namespace, limit, block, counts } = this.#counter
    return { key: stored, longKey, name, namespace, limit, block, counts }
  }

  #callerOf({ key }: LimitedCounter): string {
    return `${resolveTenant(this.#tenant)}\0${key}`
  }
}
