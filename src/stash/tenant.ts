import { addressOf } from '../coalescing/address'
import type { CallOptions } from '../coalescing/call'
import { resolveTtl, type Ttl } from '../entry/expiry'
import { assertKnown } from '../entry/known-options'
import { namespaceName } from '../entry/namespace'
import type { TenantTables } from '../postgres/tables'
import { Cache, type CacheRules } from './entries/cache'
import { type TenantStats, tenantStats } from './upkeep/stats'

/** Of `namespace()`. */
export interface NamespaceOptions {
  /** Counts deploys: two versions of a namespace do not see each other's entries. Default: none. */
  readonly version?: number | undefined
  /** Milliseconds that an entry lives when a write names no ttl; null: for ever. Default: null. */
  readonly ttl?: Ttl
}

/** Everything of one tenant. */
export class Tenant {
  /** For the stores of this package. */
  readonly tables: TenantTables
  readonly #rules: Omit<CacheRules, 'defaultTtl'>

  /** Made by `stash.tenant()`. */
  constructor(
    /** As it was asked for. */
    readonly name: string,
    tables: TenantTables,
    rules: Omit<CacheRules, 'defaultTtl'>,
  ) {
    this.tables = tables
    this.#rules = rules
  }

  /**
   * A namespace; made by its first write, and cheap to ask for at every call.
   * @throws {InvalidArgumentError} an empty or unfit name, version or ttl; an option that there is not
   */
  namespace(name: string, options?: NamespaceOptions): Cache {
    assertKnown('options', options, namespaceOptionNames)
    const stored = namespaceName(name, options?.version)
    const defaultTtl = resolveTtl(options?.ttl)
    return new Cache(this.tables.entries, addressOf(this.name, stored), { ...this.#rules, defaultTtl })
  }

  /** Counts what the tenant holds: reads all of its entries, and no other's. */
  async stats(): Promise<TenantStats> {
    return tenantStats(await this.tables.entries.count(this.name))
  }

  /** Empties every namespace of the tenant, all versions, in one small write. Sessions and rate limits stay: nobody is logged out by a cache. */
  async clear(options?: CallOptions): Promise<void> {
    await this.tables.entries.clearTenant(this.name, options)
  }
}

const namespaceOptionNames: ReadonlySet<string> = new Set(['version', 'ttl'])
