import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import { resolveTtl, type Ttl } from '../../entry/expiry'
import { indexKey, storedKey } from '../../entry/key'
import { assertList } from '../../entry/list'
import { type TagScope, tagNames } from '../../entry/tags'
import { expectedVersion } from '../../entry/version'
import { InvalidArgumentError, VersionConflictError } from '../../errors'
import type { CompareAndSetResult, Write, WriteResult } from '../../postgres/entries/table'
import { isOutage } from '../options/outage'
import type { OnError } from '../options/told'
import { assertPrefix, type ListOptions, listing } from './listing'
import type { EntryVerbs, NearVerbs, ReadOptions } from './verbs'
import {
  assertNewEntry,
  type NewEntry,
  type SetOptions,
  setNames,
  type TaggedWriteOptions,
  type TagOptions,
  taggedNames,
  ttlOf,
  type WriteOptions,
  writeOf,
} from './writing'

export type {
  CallOptions,
  CompareAndSetResult,
  ListOptions,
  NewEntry,
  ReadOptions,
  SetOptions,
  TaggedWriteOptions,
  TagOptions,
  TagScope,
  Ttl,
  WriteOptions,
  WriteResult,
}

/** What `getEntry` answers. */
export interface Entry<Value = unknown> {
  /** As `get` answers it. */
  readonly value: Value
  /** Grows with every write of the key: the token for `compareAndSet` and `ifVersion`. */
  readonly version: number
  /** Epoch milliseconds of the database's clock; null for no expiry. */
  readonly expiresAt: number | null
}

/** What the caches of a stash have in common. */
export interface CacheRules {
  readonly defaultTtl: number | null
  readonly maxValueBytes: number
  readonly onError: OnError
}

/** The version a write answers with under `onError: 'miss'` when nothing was written; no entry ever has it. */
const unwritten = 0

const notWritten = (): WriteResult => ({ version: unwritten })

/**
 * The verbs of one namespace. Calls of one process travel together; for each key they take effect in the order in which they
 * were made, awaited or not.
 *
 * Every verb rejects (`keys` and `entries` throw) with {@link InvalidArgumentError} before anything is sent when an argument will not do, and
 * with another error of this package when the database fails it.
 *
 * @example
 * const views = stash.tenant('acme').namespace('views', { ttl: 60_000 })
 * await views.set('home', { count: 1 })
 * await views.get('home') // { count: 1 }
 */
export class Cache {
  readonly #table: EntryVerbs
  /** The same, where the namespace is held near. */
  readonly #near: NearVerbs | undefined
  readonly #address: Address
  readonly #rules: CacheRules

  /** Made by `tenant.namespace()`. */
  constructor(table: EntryVerbs, address: Address, rules: CacheRules, near?: NearVerbs) {
    this.#table = near ?? table
    this.#near = near
    this.#address = address
    this.#rules = rules
  }

  /** The value, or undefined. Bytes come back as a Buffer. */
  get<Value = unknown>(key: string, options?: ReadOptions): Promise<Value | undefined> {
    if (this.#near !== undefined) return this.#getNear(this.#near, key, options)
    return this.#get(key, options)
  }

  /** Not a word more than a hit needs: it is asked for millions of times a second. */
  #getNear<Value>(near: NearVerbs, key: string, options: ReadOptions | undefined): Promise<Value | undefined> {
    try {
      const hit = near.hit(key, options) as Promise<Value | undefined> | undefined
      return hit === undefined ? this.#get(key, options) : hit
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #get<Value>(key: string, options: ReadOptions | undefined): Promise<Value | undefined> {
    const ask = () => this.#table.get(this.#address, indexKey(key), options) as Promise<Value | undefined>
    return this.#orMiss(ask, nothing)
  }

  /** The values in the order of the keys, undefined where there is none. One statement, up to the batch's caps. */
  getMany<Value = unknown>(keys: readonly string[], options?: ReadOptions): Promise<(Value | undefined)[]> {
    const ask = () => this.#table.getMany(this.#address, indexKeys(keys), options) as Promise<(Value | undefined)[]>
    return this.#orMiss(ask, () => keys.map(nothing))
  }

  /** The entry with its version and expiry, or undefined. */
  getEntry<Value = unknown>(key: string, options?: ReadOptions): Promise<Entry<Value> | undefined> {
    const ask = () => this.#table.getEntry(this.#address, indexKey(key), options) as Promise<Entry<Value> | undefined>
    return this.#orMiss(ask, nothing)
  }

  /** Whether there is an entry: expired and cleared ones are none. */
  async has(key: string, options?: ReadOptions): Promise<boolean> {
    const [isThere] = await this.hasMany([key], options)
    return isThere as boolean
  }

  /** The same for each key, in their order. One statement, up to the batch's caps. */
  hasMany(keys: readonly string[], options?: ReadOptions): Promise<boolean[]> {
    const ask = () => this.#table.hasMany(this.#address, indexKeys(keys), options)
    return this.#orMiss(ask, () => keys.map(() => false))
  }

  /** Milliseconds left; null for no expiry; undefined for no entry. */
  ttl(key: string, options?: ReadOptions): Promise<number | null | undefined> {
    return this.#orMiss(() => this.#table.ttl(this.#address, indexKey(key), options), nothing)
  }

  /**
   * Stores the value, replacing what was there, its expiry and its tags too.
   * @throws {VersionConflictError} with `ifVersion`: the entry has another version, or is gone
   */
  set(key: string, value: unknown, options?: SetOptions): Promise<WriteResult> {
    try {
      if (options?.ifVersion !== undefined) return this.#setIf(options.ifVersion, key, value, options)
    } catch (error) {
      return Promise.reject(error)
    }
    const ask = () =>
      this.#table.set(this.#address, this.#write(key, value, ttlOf(options, setNames), options), options)
    return this.#orMiss(ask, notWritten)
  }

  /** Stores all of them; of two with one key the last. One statement, up to the batch's caps. Nothing is sent when one will not do. */
  setMany(entries: readonly NewEntry[], options?: CallOptions): Promise<WriteResult[]> {
    const ask = () => {
      const writes = assertList('entries', entries).map((entry) => {
        const { key, value, ttl } = assertNewEntry(entry)
        return this.#write(key, value, ttl, entry)
      })
      return this.#table.setMany(this.#address, writes, options)
    }
    return this.#orMiss(ask, () => entries.map(notWritten))
  }

  /** Stores the value if there is none: expired and cleared count as none. True when stored. */
  async add(key: string, value: unknown, options?: TaggedWriteOptions): Promise<boolean> {
    return this.#table.add(this.#address, this.#write(key, value, ttlOf(options, taggedNames), options), options)
  }

  /** Stores the value if the entry still has `version`; otherwise answers the version it has now. */
  async compareAndSet(
    key: string,
    version: number,
    value: unknown,
    options?: TaggedWriteOptions,
  ): Promise<CompareAndSetResult> {
    const write = {
      ...this.#write(key, value, ttlOf(options, taggedNames), options),
      version: expectedVersion(version),
    }
    return this.#table.compareAndSet(this.#address, write, options)
  }

  /**
   * Adds to an integer and answers the sum, exact under any concurrency. A missing entry counts as 0; `ttl` counts only then.
   * @throws {NotAnIntegerError} the entry is no integer, or the sum leaves ±(2^53 - 1)
   */
  async increment(key: string, by = 1, options?: WriteOptions): Promise<number> {
    if (!Number.isSafeInteger(by)) throw new InvalidArgumentError('by', 'must be an integer', 'Pass a whole number.')
    const addition = { ...storedKey(key), amount: by, ttl: this.#ttl(ttlOf(options)) }
    return this.#table.increment(this.#address, addition, options)
  }

  /** Gives the entry a new ttl from now; its value and version stay. False when there is none. */
  touch(key: string, ttl?: Ttl, options?: CallOptions): Promise<boolean> {
    const ask = () => this.#table.touch(this.#address, indexKey(key), this.#ttl(ttl), options)
    return this.#orMiss(ask, () => false)
  }

  /** True when there was an entry. */
  async delete(key: string, options?: CallOptions): Promise<boolean> {
    const [isDeleted] = await this.deleteMany([key], options)
    return isDeleted as boolean
  }

  /** The same for each key, in their order; of a key named twice the second finds none. One statement, up to the batch's caps. */
  deleteMany(keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    const ask = () => this.#table.deleteMany(this.#address, indexKeys(keys), options)
    return this.#orMiss(ask, () => keys.map(() => false))
  }

  /** Gets and deletes in one step: of any number of takers one gets the value. */
  async take<Value = unknown>(key: string, options?: CallOptions): Promise<Value | undefined> {
    return this.#table.take(this.#address, indexKey(key), options) as Promise<Value | undefined>
  }

  /**
   * Deletes every key that starts with `prefix`, literally (`%` and `_` mean themselves); answers how many there were. It goes
   * in steps of 1,000, each with the time limit of a call; other calls of this process on the namespace wait for it.
   */
  async deleteByPrefix(prefix: string, options?: CallOptions): Promise<number> {
    if (prefix === '') {
      throw new InvalidArgumentError('prefix', 'is empty', 'Use clear() to empty the namespace: it is one small write.')
    }
    assertPrefix(prefix)
    return this.#table.deletePrefix(this.#address, prefix, options)
  }

  /**
   * Deletes every entry of the namespace that was stored under one of the tags, in one small write for each tag, however many entries these are. What was stored before it is
   * gone with its answer, for every process; what is stored afterwards, under the same tags, is not concerned. Other calls of this process on the namespace wait for it.
   * @param tag one, or a list of up to 1,000
   *
   * @example
   * await views.set('home', html, { tags: ['user:42', 'products'] })
   * await views.deleteByTag('user:42')
   */
  async deleteByTag(tag: string | readonly string[], options?: CallOptions): Promise<void> {
    await this.#table.deleteByTag(this.#address, tagNames(tag), options)
  }

  /** Empties the namespace in one small write, whatever it holds. */
  async clear(options?: CallOptions): Promise<void> {
    await this.#table.clear(this.#address, options)
  }

  /** The keys, page by page: what is written meanwhile may or may not show. */
  keys(options?: ListOptions): AsyncGenerator<string, void> {
    return this.#table.keys(this.#address, listing(options), options)
  }

  /** Keys with their values, as {@link keys}. */
  entries<Value = unknown>(options?: ListOptions): AsyncGenerator<[key: string, value: Value], void> {
    return this.#table.entries(this.#address, listing(options), options) as AsyncGenerator<[string, Value], void>
  }

  async #setIf(expected: number, key: string, value: unknown, options: SetOptions): Promise<WriteResult> {
    const { tags, tagScope, signal } = options
    const checked = { ttl: ttlOf(options, setNames), tags, tagScope, signal }
    const { ok, version } = await this.compareAndSet(key, expected, value, checked)
    if (!ok) throw new VersionConflictError(expected, version)
    return { version: version as number }
  }

  #write(key: string, value: unknown, ttl: Ttl, options: TagOptions | undefined): Write {
    return writeOf(key, value, this.#ttl(ttl), options, this.#rules.maxValueBytes)
  }

  #ttl(ttl: Ttl): number | null {
    return resolveTtl(ttl, this.#rules.defaultTtl)
  }

  /** What `ask` throws is rejected with: no caller has to expect both. */
  #orMiss<T>(ask: () => Promise<T>, miss: () => T): Promise<T> {
    try {
      const answer = ask()
      return this.#rules.onError === 'throw' ? answer : answer.catch((error: unknown) => missOf(error, miss))
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

function missOf<T>(error: unknown, miss: () => T): T {
  if (isOutage(error)) return miss()
  throw error
}

const nothing = () => undefined

function indexKeys(keys: readonly string[]): string[] {
  return assertList('keys', keys).map(indexKey)
}
