/**
 * The store for Keyv 5 and Keyv 6.
 *
 * @module
 */

import { ownCopy } from '../../entry/kept-name'
import { assertKey } from '../../entry/key'
import { assertKnown } from '../../entry/known-options'
import { assertList } from '../../entry/list'
import { resolveTenant } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import type { Cache } from '../../stash/entries/cache'
import { holdStash, type StashSource, storeOptions } from '../../stash/held-stash'
import { isStash } from '../../stash/is-stash'
import { plainOptions } from '../../stash/options/given'
import { splitNear } from '../../stash/options/near'
import type { NearSettings } from '../../stash/options/told'
import type { PgStash, TenantSource } from '../../stash/pg-stash'
import { type Attachment, Attachments, type KeyvContract } from './attachments'
import { keyv6Capabilities } from './capabilities'
import { eachNamespace, type Place } from './each-namespace'
import { entryTtl, type KeyvTtl, keyvTtl } from './expiry'
import {
  assertNamespace,
  type CreateKeyvOptions,
  contractOf,
  inlineOptions,
  type KeyvPgStoreOptions,
  type KeyvPgStoreSource,
  storeOptionNames,
} from './options'
import { setAll } from './writes'

export type { CreateKeyvOptions, KeyvContract, KeyvPgStoreOptions, KeyvPgStoreSource, TenantSource }

/** Keyv 5 gets one boolean, Keyv 6 one for each key; the type satisfies both. */
export type DeleteManyAnswer = boolean & boolean[]

/** Keyv 5's types want nothing, Keyv 6's a boolean for each entry; both get the latter. */
// biome-ignore lint/suspicious/noConfusingVoidType: Keyv 5 declares Promise<void>
export type SetManyAnswer = boolean[] & void

/** An entry of `setMany`: Keyv 5 says `ttl`, Keyv 6 says `expires`. */
export interface KeyvPgStoreEntry {
  /** As Keyv hands it over, with its prefix if it has one. */
  readonly key: string
  /** Keyv's envelope, as text. */
  readonly value: unknown
  /** Keyv 5: milliseconds from now; 0 or left out: for ever. */
  readonly ttl?: number | undefined
  /** Keyv 6: the moment of expiry in epoch milliseconds; left out: none. */
  readonly expires?: number | undefined
}

const defaultNamespace = 'keyv'

/** Namespaces whose cache is kept; the others are made at each call. */
const cachesKept = 1_000

/** Keyv 5 builds its iterator only for stores whose `opts` it knows; its own test suite assigns to them. */
const keyv5Opts = { dialect: 'postgres', url: 'postgres://' }

/**
 * The store for Keyv 5 and Keyv 6: `new Keyv(new KeyvPgStore(stash))`.
 *
 * It notices which of them calls: Keyv 6 reads `capabilities` before it listens for errors, Keyv 5 never does. Both see the
 * same rows under the same namespace.
 *
 * Several Keyv on one store object: Keyv 5's calls are told apart by the prefix of their keys. A call that cannot be told
 * apart (Keyv 5's `clear()`; anything of Keyv 6) fails with `AmbiguousNamespaceError` when the namespaces differ; give each
 * Keyv a `view()`, or a store of its own on one stash.
 */
export class KeyvPgStore {
  /** For Keyv 5, which builds an iterator only for dialects that it knows. */
  readonly opts: Record<string, unknown> = { ...keyv5Opts }
  readonly #stash: PgStash
  readonly #release: () => Promise<void>
  readonly #options: KeyvPgStoreOptions
  readonly #attachments: Attachments
  /** By namespace, where the tenant is the same for all calls. */
  readonly #caches = new Map<string, Cache>()
  #disconnects = 0

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(source?: KeyvPgStoreSource, options?: KeyvPgStoreOptions) {
    const inline = inlineOptions(source)
    assertKnown('options', options, storeOptionNames)
    const { tenant, namespace, version, contract, near, ...connection } = {
      ...inline,
      ...(options && plainOptions(options, storeOptionNames)),
    }
    const { held, settings } = splitNear(near)
    this.#options = { tenant, namespace: assertNamespace(namespace), version, contract, near: held }
    this.#attachments = new Attachments(contractOf(contract), (namespace) => this.#stored(namespace))
    const { stash, release } = holdStash(
      inline === undefined
        ? withNear(source as PgStash | string | undefined, settings)
        : { ...connection, ...settings },
    )
    this.#stash = stash
    this.#release = release
    // Names that will not do are told here, not at the first call.
    if (typeof tenant !== 'function') this.#cache(this.#home)
  }

  /** A store of its own on the same stash, for another Keyv. It never closes the stash. */
  view(namespace: string): KeyvPgStore {
    return new KeyvPgStore(this.#stash, { ...this.#options, namespace })
  }

  /** Keyv 6 reads this first, and only Keyv 6 does. */
  get capabilities() {
    this.#attachments.askedForCapabilities()
    return keyv6Capabilities
  }

  /** Keyv listens for errors in its constructor, and thereby attaches. They reach it by rejection; nothing is emitted here. */
  on(event: string, _listener: (...args: never[]) => void): this {
    if (event === 'error') this.#attachments.listened()
    return this
  }

  /** The one namespace of this store; undefined while Keyv with different ones share it. */
  get namespace(): string | undefined {
    return this.#attachments.namespace
  }

  /** Keyv assigns it in its constructor, and when its own namespace is changed. */
  set namespace(namespace: string | undefined) {
    this.#attachments.named(assertNamespace(namespace))
  }

  /** The value as Keyv stored it, or undefined. */
  get<Value = unknown>(key: string): Promise<Value | undefined> {
    // Not async, as the hottest: each layer of promises costs a call some hundred nanoseconds.
    try {
      const place = this.#place('get', key)
      return this.#cache(place.namespace).get<Value>(place.key)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** One statement; undefined for each key that is not there. */
  async getMany<Value = unknown>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.#eachNamespace('getMany', keys, (cache, own) => cache.getMany<Value>(own))
  }

  /** Whether there is an entry. */
  async has(key: string): Promise<boolean> {
    const place = this.#place('has', key)
    return this.#cache(place.namespace).has(place.key)
  }

  /** The same for several keys, in one statement. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return this.#eachNamespace('hasMany', keys, (cache, own) => cache.hasMany(own))
  }

  /**
   * Stores what Keyv has made of the value.
   *
   * @param limit Keyv 5: milliseconds from now, undefined or 0 for ever. Keyv 6: the moment of expiry in epoch milliseconds.
   * Where that has passed, the key is deleted.
   */
  async set(key: string, value: unknown, limit?: number): Promise<boolean> {
    const place = this.#place('set', key)
    const ttl = keyvTtl(this.#attachments.contractOf('set'), limit)
    const cache = this.#cache(place.namespace)
    if (ttl === 'elapsed') await cache.delete(place.key)
    else await cache.set(place.key, value, { ttl })
    return true
  }

  /** As {@link set} for each entry; of two with one key the last. */
  async setMany(entries: KeyvPgStoreEntry[]): Promise<SetManyAnswer> {
    const keys = assertList('entries', entries).map((entry) => assertEntry(entry).key)
    const ttls = entries.map(entryTtl)
    const answer = await this.#eachNamespace('setMany', keys, async (cache, own, positions) => {
      const writes = own.map((key, at) => {
        const position = positions[at] as number
        return { key, value: entries[position]?.value, ttl: ttls[position] as KeyvTtl }
      })
      await setAll(cache, writes)
      return own.map(() => true)
    })
    return answer as SetManyAnswer
  }

  /** Whether there was one. */
  async delete(key: string): Promise<boolean> {
    const place = this.#place('delete', key)
    return this.#cache(place.namespace).delete(place.key)
  }

  /** Keyv 5: whether any was there. Keyv 6: which were. */
  async deleteMany(keys: string[]): Promise<DeleteManyAnswer> {
    const contract = this.#attachments.contractOf('deleteMany')
    const deleted = await this.#eachNamespace('deleteMany', keys, (cache, own) => cache.deleteMany(own))
    return (contract === 'keyv5' ? deleted.some(Boolean) : deleted) as DeleteManyAnswer
  }

  /** Empties the namespace in one small write. */
  async clear(): Promise<void> {
    await this.#cache(this.#stored(this.#attachments.onlyNamespace('clear'))).clear()
  }

  /** Once every Keyv on this store has disconnected: closes the stash if it was opened for stores, and this is the last of them. */
  async disconnect(): Promise<void> {
    this.#disconnects += 1
    if (this.#disconnects >= this.#attachments.size) await this.#release()
  }

  /**
   * Lists a namespace; Keyv 5 gets its keys with their prefix. A property that makes the function: Keyv 5 reads it in its
   * constructor, and what it gets then belongs to that Keyv, also when others share the store later.
   */
  get iterator(): KeyvIterator {
    const owner = this.#attachments.takeCurrent()
    return (namespace) => this.#iterate(owner, namespace)
  }

  async *#iterate<Value>(
    owner: Attachment | undefined,
    given: string | undefined,
  ): AsyncGenerator<[string, Awaited<Value> | undefined], void> {
    const asked = assertNamespace(given)
    const isAlone = this.#attachments.size === 0
    const namespace = owner?.namespace ?? (isAlone ? asked : undefined) ?? this.#attachments.onlyNamespace('iterator')
    const isPrefixed = owner === undefined ? isAlone && asked !== undefined : owner.hasPrefixed || !owner.hasBare
    const prefix = isPrefixed && namespace ? `${namespace}:` : ''
    const entries = this.#cache(this.#stored(namespace)).entries<Awaited<Value>>()
    for await (const [key, value] of entries) yield [prefix + key, value]
  }

  /** One call of `run` for each namespace among the keys. */
  async #eachNamespace<T>(
    operation: string,
    keys: string[],
    run: (cache: Cache, keys: string[], positions: number[]) => Promise<T[]>,
  ): Promise<T[]> {
    const places = assertList('keys', keys).map((key) => this.#place(operation, key))
    return eachNamespace(places, (group) => run(this.#cache(group.namespace), group.keys, group.positions))
  }

  /** Where a key of this call is stored. */
  #place(operation: string, given: string): Place {
    const { namespace, key } = this.#attachments.attribute(operation, assertKey(given))
    return { namespace: this.#stored(namespace), key }
  }

  get #home(): string {
    return this.#options.namespace ?? defaultNamespace
  }

  /** The namespace as stored, for what Keyv calls one: none and Keyv 5's default are where this store is at home. */
  #stored(namespace: string | undefined): string {
    return !namespace || namespace === defaultNamespace ? this.#home : namespace
  }

  #cache(namespace: string): Cache {
    const { tenant, version, near } = this.#options
    const known = this.#caches.get(namespace)
    if (known !== undefined) return known
    const own = typeof tenant === 'function' ? namespace : ownCopy(namespace)
    const cache = this.#stash.tenant(resolveTenant(tenant)).namespace(own, { version, near })
    if (typeof tenant === 'function') return cache
    if (this.#caches.size >= cachesKept) this.#caches.clear()
    this.#caches.set(own, cache)
    return cache
  }
}

/** What Keyv calls to list a namespace. */
export type KeyvIterator = <Value = unknown>(
  namespace?: string,
) => AsyncGenerator<[string, Awaited<Value> | undefined], void>

/** What `createKeyv` needs of a Keyv of either major. */
export type KeyvConstructor<Keyv, Options> = new (store: KeyvPgStore, options?: Options) => Keyv

/**
 * A Keyv with a store of its own; the class is passed in, so that this package imports neither major.
 *
 * @throws {InvalidArgumentError} no class, or naming the option that will not do
 * @example
 * const cache = createKeyv(Keyv, { stash, namespace: 'views' })
 */
export function createKeyv<Keyv, KeyvOptions>(
  Keyv: KeyvConstructor<Keyv, KeyvOptions>,
  given: string | CreateKeyvOptions<KeyvOptions> = {},
): Keyv {
  if (typeof Keyv !== 'function')
    throw new InvalidArgumentError('Keyv', 'must be the class of Keyv', 'Call createKeyv(Keyv, { stash }).')
  if (typeof given === 'string') return new Keyv(new KeyvPgStore(given))
  const { keyv, ...options } = storeOptions(given, [...storeOptionNames, 'keyv'])
  return new Keyv(new KeyvPgStore(options), keyv)
}

/** What holds for a stash is nothing to one that is there, which refuses it. */
function withNear(source: PgStash | string | undefined, settings: { near?: NearSettings }): StashSource | undefined {
  if (settings.near === undefined) return source
  return isStash(source) ? { stash: source, ...settings } : { connectionString: source, ...settings }
}

function assertEntry(entry: KeyvPgStoreEntry): KeyvPgStoreEntry {
  if (typeof entry === 'object' && entry !== null) return entry
  throw new InvalidArgumentError('entries', 'must hold objects', 'Pass [{ key, value }].')
}
