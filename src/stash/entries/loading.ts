import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { Ttl } from '../../entry/expiry'
import type { TagScope } from '../../entry/tags'
import type { TenantTables } from '../../postgres/tables'
import type { CacheRules, Entry } from './entry'
import type { EntryVerbs, NearVerbs } from './verbs'

/** Of `getOrSet`, `getOrSetMany` and `wrap`. */
export interface LoadOptions extends CallOptions {
  /** How long what is loaded lives, in milliseconds; null for ever. Default: that of the namespace. */
  readonly ttl?: Ttl
  /** For how long after that it may still be served while it is loaded anew, in milliseconds; null for ever. Default: that of the namespace, which is 0. */
  readonly grace?: number | null | undefined
  /** What it is tagged with, as of `set`. A deletion by one of them during the load voids it. Default: none. */
  readonly tags?: readonly string[] | undefined
  /** Which deletion the tags are for, as of `set`. Default: `'namespace'`. */
  readonly tagScope?: TagScope | undefined
  /** How long a loaded `null` lives, in milliseconds; null for ever. Default: `ttl`. */
  readonly negativeTtl?: Ttl
  /** Where a stale value is there: how long to wait for the new one before the stale one is answered, in milliseconds. Default: 0. */
  readonly softTimeoutMs?: number | undefined
  /** How long to wait for a value at all, in milliseconds: then {@link LoadTimeoutError}, and the load goes on and is stored. Default: none. */
  readonly hardTimeoutMs?: number | undefined
  /** How long a load may take, in milliseconds: then its signal is aborted, others may load, and nothing of it is stored. An hour at most. Default: 60,000. */
  readonly maxLoadMs?: number | undefined
  /** For how long the others wait for a process that is gone, in milliseconds; it is renewed each third of it. 100 at least. Default: 5,000. */
  readonly leaseMs?: number | undefined
  /** How long to wait for another process that loads, in milliseconds: then this one loads for itself, and stores nothing. Default: 10,000. */
  readonly waitTimeoutMs?: number | undefined
  /** After a load that failed where a stale value is there: for how long that is served and nobody tries again, in all processes, in milliseconds. Default: 5,000. */
  readonly errorBackoffMs?: number | undefined
  /**
   * Loads anew before the ttl is over, beside the answer: once that share of its milliseconds is over, between 0 and 1; or `'xfetch'`, at random, the likelier the nearer the end is and the longer the last load of this process
   * took. Default: no.
   */
  readonly eagerRefresh?: number | 'xfetch' | undefined
  /** Loads whatever is there. Default: false. */
  readonly forceFresh?: boolean | undefined
  /** `'all'`: one process loads. `'process'`: each that misses does, once, and the one that began last stores. Default: `'all'`. */
  readonly lock?: 'all' | 'process' | undefined
}

/** What a loader is given. */
export interface LoadContext<Value = unknown> {
  /** As the caller wrote it. */
  readonly key: string
  /** Aborted where nobody waits for the load any more, or it has taken `maxLoadMs`. */
  readonly signal: AbortSignal
  /** What is there, where something is: stale, or about to be replaced. */
  readonly stale: Entry<Value> | undefined
  /** In the place of the option. */
  setTtl(ttl: Ttl): void
  /** In the place of the option. */
  setGrace(grace: number | null): void
  /** Besides those of the option. Whoever deletes by one of them during the load voids it. */
  addTags(...tags: string[]): void
  /** To be returned: it is answered, and not stored. */
  skip(value?: Value): Value
  /**
   * To be returned: what is there is answered, and made fresh.
   * @throws {InvalidArgumentError} nothing is there
   */
  notModified(): Value
}

/** Works a value out; undefined: there is none, and nothing is stored. */
export type Load<Value> = (context: LoadContext<Value>) => Value | undefined | Promise<Value | undefined>

/** Works values out of the keys it is given, all of them at once: a map by key. A key that it leaves out has none. */
export type LoadMany<Value> = (
  keys: string[],
  context: Pick<LoadContext, 'signal'>,
) => Map<string, Value | undefined> | Promise<Map<string, Value | undefined>>

/** Whose loads. */
export interface LoadScope {
  readonly address: Address
  readonly verbs: EntryVerbs
  /** The same, where the namespace is held near. */
  readonly near: NearVerbs | undefined
  readonly rules: CacheRules
  readonly tables: TenantTables
}

/** What works values out, once it is loaded. */
export interface Loads {
  getOrSet<Value>(
    scope: LoadScope,
    key: string,
    load: Load<Value>,
    options: LoadOptions | undefined,
  ): Promise<Value | undefined>
  getOrSetMany<Value>(
    scope: LoadScope,
    keys: readonly string[],
    load: LoadMany<Value>,
    options: LoadOptions | undefined,
  ): Promise<(Value | undefined)[]>
  /** A call of this process voids what is being loaded of the key. */
  voidKey(address: Address, key: string): void
  /** The same of all of a namespace, or, where that is '', of a tenant. */
  voidAll(address: Address): void
}

/** Where a namespace finds it. */
export interface LoadsDoor {
  /** undefined: nothing was loaded in this process yet. */
  readonly loads: Loads | undefined
  open(): Promise<Loads>
}
