import { addressOf } from '../coalescing/address'
import type { CallOptions } from '../coalescing/call'
import { resolveTtl, type Ttl } from '../entry/expiry'
import { assertKnown } from '../entry/known-options'
import { namespaceName } from '../entry/namespace'
import { tagNames } from '../entry/tags'
import { InvalidArgumentError } from '../errors'
import type { TenantTables } from '../postgres/tables'
import { Cache, type CacheRules } from './entries/cache'
import { graceOf } from './entries/grace'
import type { LoadingDoor } from './loading-door'
import type { LockKeeper } from './locks/keeper'
import type { Lock } from './locks/lock'
import type { LockOptions, TryLockOptions } from './locks/options'
import type { NearDoor } from './near-door'
import { resolveNearOptions } from './options/near'
import type { NearOptions } from './options/told'
import { type TenantStats, tenantStats } from './upkeep/stats'

/** Of `namespace()`. */
export interface NamespaceOptions {
  /** Counts deploys: two versions of a namespace do not see each other's entries. Default: none. */
  readonly version?: number | undefined
  /** Milliseconds that an entry lives when a write names no ttl; null: for ever. Default: null. */
  readonly ttl?: Ttl
  /**
   * For how long after its ttl what is stored here may still be served by `getOrSet`, while the next value is loaded, in milliseconds; null for ever. Of what `set`, `setMany` and `getOrSet` store.
   * Default: 0.
   */
  readonly grace?: number | null | undefined
  /** Of what `getOrSet` stores, up to this share of its milliseconds is taken off at random, 0 to 1: what was loaded together does not expire together. Default: 0. */
  readonly ttlJitter?: number | undefined
  /**
   * Whether its entries are held in the memory of this process, and answered from there without a round trip; within the stash's `near.maxStalenessMs` of what the database has. All who use the
   * namespace may choose for themselves. Default: false.
   */
  readonly near?: boolean | NearOptions | undefined
}

/** What the stash has for all its tenants, each loaded when it is asked for. */
export interface TenantParts {
  readonly keeper: () => Promise<LockKeeper>
  readonly near: NearDoor
  readonly loads: LoadingDoor
}

/** Everything of one tenant. */
export class Tenant {
  /** For the stores of this package. */
  readonly tables: TenantTables
  readonly #rules: Pick<CacheRules, 'maxValueBytes' | 'onError'>
  readonly #keeper: () => Promise<LockKeeper>
  readonly #near: NearDoor
  readonly #loads: LoadingDoor

  /** Made by `stash.tenant()`. */
  constructor(
    /** As it was asked for. */
    readonly name: string,
    tables: TenantTables,
    rules: Pick<CacheRules, 'maxValueBytes' | 'onError'>,
    { keeper, near, loads }: TenantParts,
  ) {
    this.tables = tables
    this.#rules = rules
    this.#near = near
    this.#loads = loads
    this.#keeper = keeper
  }

  /**
   * A namespace; made by its first write, and cheap to ask for at every call.
   * @throws {InvalidArgumentError} an empty or unfit name, version or ttl; an option that there is not
   */
  namespace(name: string, options?: NamespaceOptions): Cache {
    assertKnown('options', options, namespaceOptionNames)
    const stored = namespaceName(name, options?.version)
    const defaultTtl = resolveTtl(options?.ttl)
    const near = resolveNearOptions(options?.near)
    const address = addressOf(this.name, stored)
    const verbs = near && this.#near.verbs(this.tables.entries, address, near)
    const rules = {
      ...this.#rules,
      defaultTtl,
      grace: graceOf(options?.grace),
      ttlJitter: jitterOf(options?.ttlJitter),
    }
    return new Cache({ tables: this.tables, address, rules, near: verbs, loads: this.#loads })
  }

  /** Counts what the tenant holds: reads all of its entries, and no other's. */
  async stats(): Promise<TenantStats> {
    return tenantStats(await this.tables.entries.count(this.name))
  }

  /** Empties every namespace of the tenant, all versions, in one small write. Sessions and rate limits stay: nobody is logged out by a cache. */
  async clear(options?: CallOptions): Promise<void> {
    this.#loads.voidTenant(addressOf(this.name, ''))
    await this.#near.sweepTenant(this.name, () => this.tables.entries.clearTenant(this.name, options))
  }

  /**
   * Deletes every entry of the tenant, whatever its namespace, that was stored under one of the tags with `tagScope: 'tenant'`: as the namespace's `deleteByTag`, which deletes by
   * tags of its own. Other calls of this process on the tenant's namespaces wait for it.
   * @param tag one, or a list of up to 1,000
   * @throws {InvalidArgumentError} tags that are none
   */
  async deleteByTag(tag: string | readonly string[], options?: CallOptions): Promise<void> {
    const tags = tagNames(tag)
    this.#loads.voidTenant(addressOf(this.name, ''))
    await this.#near.sweepTenant(this.name, () => this.tables.entries.deleteTenantTags(this.name, tags, options))
  }

  /**
   * Takes the lock of that name, of this tenant and over all processes, and waits for it where somebody else holds it; who waits gets it in no particular order. It is renewed until it is
   * released. Whatever `onError` says, an unreachable database fails it.
   * @throws {InvalidArgumentError} a name or an option that will not do
   * @throws {LockTimeoutError} somebody else held it for `waitMs`
   * @throws {CallAbortedError} by the signal, before it was got
   */
  async lock(name: string, options?: LockOptions): Promise<Lock> {
    const keeper = await this.#keeper()
    return keeper.lock({ tenant: this.name, tables: this.tables }, name, options)
  }

  /**
   * As {@link lock}, without waiting: undefined where somebody else holds it.
   * @throws {InvalidArgumentError} a name or an option that will not do
   */
  async tryLock(name: string, options?: TryLockOptions): Promise<Lock | undefined> {
    const keeper = await this.#keeper()
    return keeper.tryLock({ tenant: this.name, tables: this.tables }, name, options)
  }

  /**
   * Runs `work` under the lock, and releases it whatever becomes of it; answers, or throws, what `work` does.
   * @throws {InvalidArgumentError} a name or an option that will not do
   * @throws {LockTimeoutError} somebody else held it for `waitMs`; `work` was not run
   * @throws {CallAbortedError} by the signal, before it was got; `work` was not run
   * @throws {LockLostError} it was lost while `work`, which ended without an error, was at it
   */
  async withLock<T>(name: string, work: (lock: Lock) => T | Promise<T>, options?: LockOptions): Promise<T> {
    const keeper = await this.#keeper()
    return keeper.withLock({ tenant: this.name, tables: this.tables }, name, work, options)
  }
}

const namespaceOptionNames: ReadonlySet<string> = new Set(['version', 'ttl', 'grace', 'ttlJitter', 'near'])

/** @throws {InvalidArgumentError} */
function jitterOf(jitter: unknown): number {
  if (jitter === undefined) return 0
  if (typeof jitter === 'number' && jitter >= 0 && jitter <= 1) return jitter
  throw new InvalidArgumentError('ttlJitter', 'must be a number from 0 to 1', 'For example 0.1: up to a tenth less.')
}
