import type { StoredKey } from '../entry/key'
import { type CounterState, type Limit, waitFor } from '../entry/limit'
import { resolveTenant, type TenantSource } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import { addressOf } from '../postgres/address'
import type { CallOptions } from '../postgres/call'
import type { BlockRule, CounterTable } from '../postgres/counter-table'
import { Denials, type DenyCacheOptions } from './denials'
import { MemoryCounters } from './memory-counters'
import { isOutage } from './outage'
import type { PgStash } from './pg-stash'
import { later, type NamedState, type RateLimitResult, resultOf } from './rate-limit-result'

/**
 * What a limiter does while the database is away: fail the call, allow it, deny it, or count in this process. `throw` leaves it to the host
 * (express-rate-limit: `passOnStoreError`).
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
}

export interface DecisionOptions {
  readonly tenant?: TenantSource | undefined
  readonly onError?: RateLimitOnError | undefined
  readonly denyCache?: DenyCacheOptions | false | undefined
}

/** How long a caller is told to wait while the database is away and `onError` is `closed`. */
const closedForMs = 1_000

/** Decides calls by what the database counted; remembers denials, and knows what to do without a database. */
export class LimitDecisions {
  readonly #stash: PgStash
  readonly #tenant: TenantSource | undefined
  readonly #onError: RateLimitOnError
  readonly #denials: Denials<RateLimitResult>
  readonly #memory = new MemoryCounters()
  #last: { readonly tenant: string; readonly table: CounterTable } | undefined

  /** @throws {InvalidArgumentError} */
  constructor(stash: PgStash, { tenant, onError, denyCache }: DecisionOptions) {
    this.#stash = stash
    this.#tenant = tenant
    this.#onError = onErrorOf(onError)
    this.#denials = new Denials(denyCache)
    if (typeof tenant !== 'function') resolveTenant(tenant)
  }

  async consume(counters: readonly LimitedCounter[], cost: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    const ids = idsOf(tenant, counters)
    const denial = this.#denials.find(ids, cost)
    if (denial !== undefined) return later(denial.facts, performance.now() - denial.since, denial.count)
    const askedAt = performance.now()
    try {
      const result = await this.#ask(tenant, counters, cost, options)
      if (!result.isAllowed) this.#denials.remember(ids, cost, askedAt, result.retryAfterMs, result)
      return result
    } catch (error) {
      if (this.#onError === 'throw' || !isOutage(error)) throw error
      return this.#withoutDatabase(ids, counters, cost)
    }
  }

  /** As `consume` would answer, without counting. */
  async peek(counters: readonly LimitedCounter[], cost: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    return standing(await this.#read(tenant, counters, options), cost)
  }

  /** Adds hits to each counter whatever its limit is, or takes some back; answers as `peek`. */
  async adjust(counters: readonly LimitedCounter[], by: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    const table = this.#tableOf(tenant)
    const states = await Promise.all(
      counters.map((counter) => {
        const address = addressOf(tenant, counter.namespace, 'counter')
        return table.adjust(address, counter, counter.limit, by, options)
      }),
    )
    this.#denials.forget(idsOf(tenant, counters))
    return standing(named(counters, states), 1)
  }

  /** Forgets what was counted. */
  async reset(counters: readonly LimitedCounter[], options?: CallOptions): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    const table = this.#tableOf(tenant)
    await Promise.all(
      counters.map(({ namespace, key }) => table.delete(addressOf(tenant, namespace, 'counter'), key, options)),
    )
    this.#denials.forget(idsOf(tenant, counters))
  }

  /** Forgets everybody in these namespaces of the tenant. */
  async clear(namespaces: readonly string[], options?: CallOptions): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    await this.#tableOf(tenant).clear(tenant, namespaces, options)
    this.#denials.forgetAll()
  }

  async #ask(
    tenant: string,
    counters: readonly LimitedCounter[],
    cost: number,
    options?: CallOptions,
  ): Promise<RateLimitResult> {
    const [only] = counters as readonly [LimitedCounter]
    if (counters.length === 1 && only.block === undefined) return this.#askOne(tenant, only, cost, options)
    const address = addressOf(tenant, only.namespace, 'limits')
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
    const { isGranted, state, laterHits } = await table.consume(address, counter, counter.limit, cost, options)
    // Denied on account of a row that its statement could not see: another one can.
    const seen = isGranted || state !== undefined ? state : await table.read(address, counter.key, options)
    return decided(isGranted, named([counter], [seen]), cost, laterHits)
  }

  async #read(tenant: string, counters: readonly LimitedCounter[], options?: CallOptions): Promise<NamedState[]> {
    const table = this.#tableOf(tenant)
    const read = ({ namespace, key }: LimitedCounter) =>
      table.read(addressOf(tenant, namespace, 'counter'), key, options)
    const states = await Promise.all(counters.map(read))
    return named(counters, states.map(withoutPastBlock))
  }

  #withoutDatabase(ids: readonly string[], counters: readonly LimitedCounter[], cost: number): RateLimitResult {
    if (this.#onError === 'open') return resultOf(true, named(counters, []), 0)
    if (this.#onError === 'closed') return resultOf(false, named(counters, []), closedForMs)
    const counted = counters.map(({ name, limit }, at) => ({
      name,
      ...this.#memory.consume(ids[at] as string, limit, cost),
    }))
    const waits = counted.filter(({ isGranted }) => !isGranted).map(({ state }) => state.resetLeft)
    return resultOf(waits.length === 0, counted, Math.max(1, ...waits))
  }

  /** The last tenant's is kept: most limiters have but one. */
  #tableOf(tenant: string): CounterTable {
    if (this.#last?.tenant !== tenant) this.#last = { tenant, table: this.#stash.tenant(tenant).tables.counters }
    return this.#last.table
  }
}

/** Of each counter, among all of the stash. */
function idsOf(tenant: string, counters: readonly LimitedCounter[]): string[] {
  return counters.map(({ namespace, key }) => `${tenant}\0${namespace}\0${key}`)
}

function named(counters: readonly LimitedCounter[], states: readonly (CounterState | undefined)[]): NamedState[] {
  return counters.map(({ name, limit }, at) => ({ name, limit, state: states[at] }))
}

/** A block that is over ended with a fresh start, which the next hit will find. */
function withoutPastBlock(state: CounterState | undefined): CounterState | undefined {
  return state?.blockLeft != null && state.blockLeft <= 0 ? undefined : state
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
