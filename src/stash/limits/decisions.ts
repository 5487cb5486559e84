import { addressOf } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { StoredKey } from '../../entry/key'
import { type CounterState, type Limit, waitFor } from '../../entry/limits/limit'
import { resolveTenant, type TenantSource } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import { now } from '../../own-clock'
import { type BlockRule, CounterTable, type Counts } from '../../postgres/limits/table'
import { isOutage } from '../options/outage'
import type { PgStash } from '../pg-stash'
import { Denials, type DenyCacheOptions } from './denials'
import { MemoryCounters, type MemoryLimit } from './memory-counters'
import { deniedSince, type NamedState, type RateLimitResult, resultOf } from './result'

/**
 * What a limiter does while the database is away: fail the call, allow it, deny it, or count in this process. `throw` leaves it to the host
 * (express-rate-limit: `passOnStoreError`). Other than with `throw`, what is to be taken back or forgotten meanwhile is so in this process only.
 */
export type RateLimitOnError = 'throw' | 'open' | 'closed' | 'memory'

/** A counter that a call is counted on. */
export interface LimitedCounter extends StoredKey {
  /** In the headers. */
  readonly name: string
  /** The limiter with its algorithm and window. */
  readonly namespace: string
  readonly limit: Limit
  readonly block: BlockRule | undefined
  /** Which hits count whatever the limit says; only where a call has no other counter. Default: those count that fit. */
  readonly counts?: Counts | undefined
}

export interface DecisionOptions {
  /** The limiter's name: calls of one limiter that are counted on several counters are put in order by it. */
  readonly limiter: string
  readonly tenant?: TenantSource | undefined
  readonly onError?: RateLimitOnError | undefined
  readonly denyCache?: DenyCacheOptions | false | undefined
}

type Counters = readonly LimitedCounter[]

/** How long a caller is told to wait while the database is away and `onError` is `closed`. */
const closedForMs = 1_000

/** Decides calls by what the database counted; remembers denials, and knows what to do without a database. */
export class LimitDecisions {
  readonly #stash: PgStash
  readonly #limiter: string
  readonly #tenant: TenantSource | undefined
  readonly #onError: RateLimitOnError
  readonly #denials: Denials<RateLimitResult>
  readonly #memory = new MemoryCounters()
  readonly #decidedHere = new WeakSet<RateLimitResult>()
  /** The table of the tenant asked last: most limiters have but one. */
  #last: { readonly tenant: string; readonly table: CounterTable } | undefined

  /** @throws {InvalidArgumentError} */
  constructor(stash: PgStash, { limiter, tenant, onError, denyCache }: DecisionOptions) {
    this.#stash = stash
    this.#limiter = limiter
    this.#tenant = tenant
    this.#onError = onErrorOf(onError)
    this.#denials = new Denials(denyCache)
    if (typeof tenant !== 'function') resolveTenant(tenant)
  }

  async consume(counters: Counters, cost: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    const ids = idsOf(tenant, counters)
    const denial = this.#denials.find(ids, cost)
    if (denial !== undefined) return deniedSince(denial.facts, now() - denial.since, denial.count)
    const askedAt = now()
    try {
      const result = await this.#ask(tenant, counters, cost, options)
      if (!result.isAllowed) this.#denials.remember(ids, cost, askedAt, result.retryAfterMs, result)
      return result
    } catch (error) {
      if (!this.#goesOn(error)) throw error
      const result = this.#withoutDatabase(ids, counters, cost)
      this.#decidedHere.add(result)
      return result
    }
  }

  /** As `consume` would answer, without counting. */
  async peek(counters: Counters, cost: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    const table = this.#tableOf(tenant)
    const read = ({ namespace, key }: LimitedCounter) =>
      table.read(addressOf(tenant, namespace, 'counter'), key, options)
    const states = await this.#inOrder(tenant, counters, () => Promise.all(counters.map(read)))
    return standing(named(counters, states.map(withoutPastBlock)), cost)
  }

  /** What a counter holds; undefined: nothing, or nothing that still counts. */
  async find(counter: LimitedCounter, options?: CallOptions): Promise<RateLimitResult | undefined> {
    const tenant = resolveTenant(this.#tenant)
    const address = addressOf(tenant, counter.namespace, 'counter')
    const state = await this.#tableOf(tenant).read(address, counter.key, options)
    return state === undefined || isPast(counter.limit, state) ? undefined : standing(named([counter], [state]), 1)
  }

  /** Whether a hit was decided without the database, which so did not count it. */
  wasDecidedHere(hit: RateLimitResult): boolean {
    return this.#decidedHere.has(hit)
  }

  /** What was counted while the database was away is taken back here, where it was counted. */
  async takeBack(hit: RateLimitResult, counters: Counters): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    if (this.#decidedHere.has(hit)) this.#memory.takeBack(idsOf(tenant, counters), 1)
    else await this.#adjust(tenant, counters, -1)
  }

  /**
   * Adds hits to each counter whatever its limit is, or takes some back; answers as `peek`. Taken back is first what this process counted while the database
   * was away: that is not in the database, where somebody else's hit would go instead.
   */
  async adjust(counters: Counters, by: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    const takenHere = by < 0 ? this.#memory.takeBack(idsOf(tenant, counters), -by) : 0
    return this.#adjust(tenant, counters, by + takenHere, options)
  }

  /** @param by 0: only answers */
  async #adjust(tenant: string, counters: Counters, by: number, options?: CallOptions): Promise<RateLimitResult> {
    const table = this.#tableOf(tenant)
    const adjust = (counter: LimitedCounter) =>
      table.adjust(addressOf(tenant, counter.namespace, 'counter'), counter, counter.limit, by, options)
    const ids = idsOf(tenant, counters)
    try {
      if (by === 0) return await this.peek(counters, 1, options)
      const states = await this.#inOrder(tenant, counters, () => Promise.all(counters.map(adjust)))
      return standing(named(counters, states), 1)
    } catch (error) {
      if (!this.#goesOn(error)) throw error
      if (by > 0) this.#memory.add(limitsOf(ids, counters), by)
      return this.#adjustedHere(ids, counters)
    } finally {
      this.#denials.forget(ids)
    }
  }

  /** Forgets what was counted. */
  async reset(counters: Counters, options?: CallOptions): Promise<void> {
    if (counters.length === 0) return
    const tenant = resolveTenant(this.#tenant)
    const table = this.#tableOf(tenant)
    const remove = ({ namespace, key }: LimitedCounter) =>
      table.delete(addressOf(tenant, namespace, 'counter'), key, options)
    const ids = idsOf(tenant, counters)
    this.#memory.forget(ids)
    try {
      await this.#inOrder(tenant, counters, () => Promise.all(counters.map(remove)))
    } catch (error) {
      if (!this.#goesOn(error)) throw error
    } finally {
      this.#denials.forget(ids)
    }
  }

  /** Forgets everybody in these namespaces of the tenant. */
  async clear(namespaces: readonly string[], options?: CallOptions): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    this.#memory.clear()
    try {
      await this.#tableOf(tenant).clear(tenant, this.#limiter, namespaces, options)
    } catch (error) {
      if (!this.#goesOn(error)) throw error
    } finally {
      this.#denials.forgetAll()
    }
  }

  /** Forgets all counters of a namespace whose keys begin so. */
  async clearPrefix(namespace: string, prefix: string, options?: CallOptions): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    this.#memory.forgetPrefix(`${tenant}\0${namespace}\0${prefix}`)
    try {
      await this.#tableOf(tenant).clearPrefix(tenant, namespace, prefix, options)
    } catch (error) {
      if (!this.#goesOn(error)) throw error
    } finally {
      this.#denials.forgetAll()
    }
  }

  async #ask(tenant: string, counters: Counters, cost: number, options?: CallOptions): Promise<RateLimitResult> {
    if (!areSeveral(counters)) return this.#askOne(tenant, counters[0] as LimitedCounter, cost, options)
    const address = addressOf(tenant, this.#limiter, 'limits')
    const { isGranted, states } = await this.#tableOf(tenant).consumeAll(address, { rows: counters, cost }, options)
    return decided(isGranted, named(counters, states), cost)
  }

  async #askOne(
    tenant: string,
    counter: LimitedCounter,
    cost: number,
    options?: CallOptions,
  ): Promise<RateLimitResult> {
    const table = this.#tableOf(tenant)
    const address = addressOf(tenant, counter.namespace, 'counter')
    if (counter.counts !== undefined) {
      const { state, laterHits } = await table.count(address, counter, counter.limit, counter.counts, options)
      return counted(named([counter], [state]), laterHits)
    }
    const { isGranted, state, laterHits } = await table.consume(address, counter, counter.limit, cost, options)
    // Denied by a row that is younger than what its statement could see: another one sees it.
    const isStale = !isGranted && waitFor(counter.limit, state, cost) === 0
    const seen = isStale ? await table.read(address, counter.key, options) : state
    return decided(isGranted, named([counter], [seen]), cost, laterHits)
  }

  /** Calls on several counters are put in order by the limiter; what concerns its counters one by one waits for them, and they for it. */
  #inOrder<T>(tenant: string, counters: Counters, work: () => Promise<T>): Promise<T> {
    if (!areSeveral(counters)) return work()
    return this.#tableOf(tenant).aloneIn(addressOf(tenant, this.#limiter, 'limits'), work)
  }

  #goesOn(error: unknown): boolean {
    return this.#onError !== 'throw' && isOutage(error)
  }

  #withoutDatabase(ids: readonly string[], counters: Counters, cost: number): RateLimitResult {
    if (this.#onError === 'open') return resultOf(true, named(counters, []), 0)
    if (this.#onError === 'closed') return resultOf(false, named(counters, []), closedForMs)
    const limits = limitsOf(ids, counters)
    const fixed = counters.map((counter): LimitedCounter => ({ ...counter, limit: asFixed(counter.limit) }))
    if (counters[0]?.counts !== undefined) {
      this.#memory.add(limits, cost)
      return counted(named(fixed, this.#memory.statesOf(ids)), 0)
    }
    const { isGranted, states } = this.#memory.consume(limits, cost)
    return decided(isGranted, named(fixed, states), cost)
  }

  /** As `peek` would answer. */
  #adjustedHere(ids: readonly string[], counters: Counters): RateLimitResult {
    if (this.#onError === 'open') return resultOf(true, named(counters, []), 0)
    if (this.#onError === 'closed') return resultOf(false, named(counters, []), closedForMs)
    const fixed = counters.map((counter): LimitedCounter => ({ ...counter, limit: asFixed(counter.limit) }))
    return standing(named(fixed, this.#memory.statesOf(ids)), 1)
  }

  #tableOf(tenant: string): CounterTable {
    if (this.#last?.tenant !== tenant)
      this.#last = { tenant, table: this.#stash.tenant(tenant).tables.of(CounterTable) }
    return this.#last.table
  }
}

function areSeveral(counters: Counters): boolean {
  return counters.length > 1 || counters[0]?.block !== undefined
}

/** Of each counter, among all of the stash. */
function idsOf(tenant: string, counters: Counters): string[] {
  return counters.map(({ namespace, key }) => `${tenant}\0${namespace}\0${key}`)
}

function limitsOf(ids: readonly string[], counters: Counters): MemoryLimit[] {
  return counters.map(({ limit }, at) => ({ id: ids[at] as string, limit }))
}

function named(counters: Counters, states: readonly (CounterState | undefined)[]): NamedState[] {
  return counters.map(({ name, limit }, at) => ({ name, limit, state: states[at] }))
}

/** How this process counts. */
function asFixed(limit: Limit): Limit {
  return { ...limit, algorithm: 'fixed-window' }
}

/** A block that is over ended with a fresh start, which the next hit will find. */
function withoutPastBlock(state: CounterState | undefined): CounterState | undefined {
  return state?.blockLeft != null && state.blockLeft <= 0 ? undefined : state
}

/** Whether a hit that the next one of its caller will not find is all that is left. */
function isPast({ algorithm, windowMs }: Limit, { resetLeft, tatLeft }: CounterState): boolean {
  if (algorithm === 'gcra') return (tatLeft ?? 0) <= 0
  return resetLeft + (algorithm === 'sliding-window' ? windowMs : 0) <= 0
}

/** Of a hit that was counted whatever the limit says: allowed is what fitted. */
function counted(states: readonly NamedState[], laterHits: number): RateLimitResult {
  const allowed = resultOf(true, states, 0, laterHits)
  return allowed.used <= allowed.limit ? allowed : resultOf(false, states, allowed.resetMs, laterHits)
}

function decided(isAllowed: boolean, states: readonly NamedState[], cost: number, laterHits = 0): RateLimitResult {
  return resultOf(isAllowed, states, isAllowed ? 0 : retryAfter(states, cost), laterHits)
}

function standing(states: readonly NamedState[], cost: number): RateLimitResult {
  const isAllowed = states.every(({ limit, state }) => waitFor(limit, state, cost) === 0)
  return resultOf(isAllowed, states, retryAfter(states, cost))
}

/** When the last of the limits has room; at least a millisecond. A hit that never fits is told the window. */
function retryAfter(states: readonly NamedState[], cost: number): number {
  const waits = states.map(({ limit, state }) => {
    const wait = waitFor(limit, state, cost)
    return Number.isFinite(wait) ? wait : limit.windowMs
  })
  return Math.max(1, ...waits)
}

function onErrorOf(onError: unknown = 'throw'): RateLimitOnError {
  if (onError === 'throw' || onError === 'open' || onError === 'closed' || onError === 'memory') return onError
  throw new InvalidArgumentError('onError', 'must be throw, open, closed or memory', 'Leave it out for throw.')
}
