import { addressOf } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import { waitFor } from '../../entry/limits/limit'
import { resolveTenant, type TenantSource } from '../../entry/tenant'
import { now } from '../../own-clock'
import { CounterTable } from '../../postgres/limits/table'
import type { PgStash } from '../pg-stash'
import { Denials, type DenyCacheOptions } from './denials'
import { areSeveral, type Counters, idsOf, type LimitedCounter, named } from './limited-counter'
import { LocalDecisions, type RateLimitOnError } from './local-decisions'
import { deniedSince, type RateLimitResult } from './result'
import { counted, decided, isPast, standing, withoutPastBlock } from './verdicts'

export interface DecisionOptions {
  /** The limiter's name: calls of one limiter that are counted on several counters are put in order by it. */
  readonly limiter: string
  readonly tenant?: TenantSource | undefined
  readonly onError?: RateLimitOnError | undefined
  readonly denyCache?: DenyCacheOptions | false | undefined
}

/** Decides calls by what the database counted; remembers denials, and goes on without a database where it is told to. */
export class LimitDecisions {
  readonly #stash: PgStash
  readonly #limiter: string
  readonly #tenant: TenantSource | undefined
  readonly #denials: Denials<RateLimitResult>
  readonly #local: LocalDecisions
  /** The table of the tenant asked last: most limiters have but one. */
  #last: { readonly tenant: string; readonly table: CounterTable } | undefined

  /** @throws {InvalidArgumentError} */
  constructor(stash: PgStash, { limiter, tenant, onError, denyCache }: DecisionOptions) {
    this.#stash = stash
    this.#limiter = limiter
    this.#tenant = tenant
    this.#local = new LocalDecisions(onError)
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
      if (!this.#local.takesOver(error)) throw error
      return this.#local.consume(ids, counters, cost)
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

  /** Whether a hit was decided without the database, which has therefore not counted it. */
  wasDecidedHere(hit: RateLimitResult): boolean {
    return this.#local.hasDecided(hit)
  }

  /** What was counted while the database was away is taken back here, where it was counted. */
  async takeBack(hit: RateLimitResult, counters: Counters): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    if (this.#local.hasDecided(hit)) this.#local.takeBack(idsOf(tenant, counters), 1)
    else await this.#adjust(tenant, counters, -1)
  }

  /**
   * Adds hits to each counter whatever its limit is, or takes some back; answers as `peek`. Taken back is first what this process counted while the database
   * was away: that is not in the database, where somebody else's hit would go instead.
   */
  async adjust(counters: Counters, by: number, options?: CallOptions): Promise<RateLimitResult> {
    const tenant = resolveTenant(this.#tenant)
    const takenHere = by < 0 ? this.#local.takeBack(idsOf(tenant, counters), -by) : 0
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
      if (!this.#local.takesOver(error)) throw error
      return this.#local.adjust(ids, counters, by)
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
    this.#local.forget(ids)
    try {
      await this.#inOrder(tenant, counters, () => Promise.all(counters.map(remove)))
    } catch (error) {
      if (!this.#local.takesOver(error)) throw error
    } finally {
      this.#denials.forget(ids)
    }
  }

  /** Forgets everybody in these namespaces of the tenant. */
  async clear(namespaces: readonly string[], options?: CallOptions): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    this.#local.forgetAll()
    try {
      await this.#tableOf(tenant).clear(tenant, this.#limiter, namespaces, options)
    } catch (error) {
      if (!this.#local.takesOver(error)) throw error
    } finally {
      this.#denials.forgetAll()
    }
  }

  /** Forgets all counters of a namespace whose keys begin so. */
  async clearPrefix(namespace: string, prefix: string, options?: CallOptions): Promise<void> {
    const tenant = resolveTenant(this.#tenant)
    this.#local.forgetPrefix(`${tenant}\0${namespace}\0${prefix}`)
    try {
      await this.#tableOf(tenant).clearPrefix(tenant, namespace, prefix, options)
    } catch (error) {
      if (!this.#local.takesOver(error)) throw error
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

  #tableOf(tenant: string): CounterTable {
    if (this.#last?.tenant !== tenant)
      this.#last = { tenant, table: this.#stash.tenant(tenant).tables.of(CounterTable) }
    return this.#last.table
  }
}
