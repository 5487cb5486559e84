import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import { resolveTtl, type Ttl } from '../../entry/expiry'
import { indexKey, storedKey } from '../../entry/key'
import { assertList } from '../../entry/list'
import { type TagScope, tagNames } from '../../entry/tags'
import { expectedVersion } from '../../entry/version'
import { InvalidArgumentError, VersionConflictError } from '../../errors'
import type { CompareAndSetResult, Write, WriteResult } from '../../postgres/entries/table'
import type { TenantTables } from '../../postgres/tables'
import { isOutage } from '../options/outage'
import type { CacheRules, Entry } from './entry'
import { graceOf } from './grace'
import { assertPrefix, type ListOptions, listing } from './listing'
import type { Load, LoadContext, LoadMany, LoadOptions, LoadScope, LoadsDoor } from './loading'
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
  CacheRules,
  CallOptions,
  CompareAndSetResult,
  Entry,
  ListOptions,
  Load,
  LoadContext,
  LoadMany,
  LoadOptions,
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

/** Of `wrap`. */
export interface WrapOptions<Args extends unknown[]> extends LoadOptions {
  /** Under which key what is worked out of these arguments is stored. */
  readonly key: (...args: Args) => string
}

/** What a namespace is made of. */
export interface CacheParts {
  readonly tables: TenantTables
  readonly address: Address
  readonly rules: CacheRules
  readonly near: NearVerbs | undefined
  readonly loads: LoadsDoor
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
  readonly #door: LoadsDoor
  readonly #scope: LoadScope

  /** Made by `tenant.namespace()`. */
  constructor({ tables, near, ...parts }: CacheParts) {
    this.#table = near ?? tables.entries
    this.#near = near
    this.#address = parts.address
    this.#rules = parts.rules
    this.#door = parts.loads
    this.#scope = { address: parts.address, verbs: this.#table, near, rules: parts.rules, tables }
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

  /**
   * The value; where there is none, what `load` works out, which is stored. However many ask for it, in however many processes, one load runs, and all get what it makes. What is written, deleted,
   * expired, cleared or deleted by a tag while it runs is not overwritten: then they get the value, and nothing is stored. Every caller gets it as a later `get` answers it: JSON, not the loader's object.
   *
   * With `grace` a value whose ttl is over is answered at once, while one process loads the next; and it is answered where the load fails.
   * @param load answers undefined where there is no value: nothing is stored then. What it throws is thrown to all who wait for it
   * @throws {LoadTimeoutError} it took longer than `hardTimeoutMs` or `maxLoadMs`
   * @throws {LoadCycleError} `load` asks for the key that it is to load
   *
   * @example
   * const user = await users.getOrSet('42', () => findUser(42), { ttl: 60_000, grace: 600_000 })
   */
  getOrSet<Value>(key: string, load: Load<Value>, options?: LoadOptions): Promise<Value | undefined> {
    try {
      assertLoader(load)
      const hit = mayHit(options) ? (this.#near?.hit(key, undefined) as Promise<Value> | undefined) : undefined
      if (hit !== undefined) return hit
      const { loads } = this.#door
      if (loads !== undefined) return loads.getOrSet(this.#scope, key, load, options)
      return this.#door.open().then((open) => open.getOrSet(this.#scope, key, load, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The values in the order of the keys, as {@link getOrSet}: one read, and for all that are not there one claim, one call of `load`, one store. What another call or another process loads already is
   * waited for. Nothing stale is served: where a value's ttl is over it is loaded.
   * @param load is given the keys that are to be loaded, each once, and answers a Map by key; a key that it leaves out has no value
   *
   * @example
   * const users = await cache.getOrSetMany(ids, async (absent) => new Map((await findUsers(absent)).map((user) => [user.id, user])))
   */
  getOrSetMany<Value>(
    keys: readonly string[],
    load: LoadMany<Value>,
    options?: LoadOptions,
  ): Promise<(Value | undefined)[]> {
    try {
      assertLoader(load)
      assertList('keys', keys)
      const { loads } = this.#door
      if (loads !== undefined) return loads.getOrSetMany(this.#scope, keys, load, options)
      return this.#door.open().then((open) => open.getOrSetMany(this.#scope, keys, load, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The function with its answers held here: as {@link getOrSet}, under the key that `key` makes of its arguments.
   *
   * @example
   * const findUser = users.wrap((id: number) => readUser(id), { key: (id) => String(id), ttl: 60_000 })
   * await findUser(42)
   */
  wrap<Args extends unknown[], Value>(
    work: (...args: Args) => Value | undefined | Promise<Value | undefined>,
    { key, ...options }: WrapOptions<Args>,
  ): (...args: Args) => Promise<Value | undefined> {
    if (typeof work !== 'function') {
      throw new InvalidArgumentError('work', 'must be a function', 'Pass wrap(work, { key: (...args) => string }).')
    }
    if (typeof key !== 'function') {
      throw new InvalidArgumentError('key', 'must be a function of the arguments', 'Pass { key: (id) => String(id) }.')
    }
    return async (...args) => this.getOrSet<Value>(key(...args), () => work(...args), options)
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
    const ask = () => {
      const write = this.#graced(this.#write(key, value, ttlOf(options, setNames), options), options?.grace)
      this.#void(write.key)
      return this.#table.set(this.#address, write, options)
    }
    return this.#orMiss(ask, notWritten)
  }

  /** Stores all of them; of two with one key the last. One statement, up to the batch's caps. Nothing is sent when one will not do. */
  setMany(entries: readonly NewEntry[], options?: CallOptions): Promise<WriteResult[]> {
    const ask = () => {
      const writes = assertList('entries', entries).map((entry) => {
        const { key, value, ttl } = assertNewEntry(entry)
        return this.#graced(this.#write(key, value, ttl, entry), entry.grace)
      })
      for (const write of writes) this.#void(write.key)
      return this.#table.setMany(this.#address, writes, options)
    }
    return this.#orMiss(ask, () => entries.map(notWritten))
  }

  /** Stores the value if there is none: expired and cleared count as none. True when stored. */
  async add(key: string, value: unknown, options?: TaggedWriteOptions): Promise<boolean> {
    const write = this.#write(key, value, ttlOf(options, taggedNames), options)
    this.#void(write.key)
    return this.#table.add(this.#address, write, options)
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
    this.#void(write.key)
    return this.#table.compareAndSet(this.#address, write, options)
  }

  /**
   * Adds to an integer and answers the sum, exact under any concurrency. A missing entry counts as 0; `ttl` counts only then.
   * @throws {NotAnIntegerError} the entry is no integer, or the sum leaves ±(2^53 - 1)
   */
  async increment(key: string, by = 1, options?: WriteOptions): Promise<number> {
    if (!Number.isSafeInteger(by)) throw new InvalidArgumentError('by', 'must be an integer', 'Pass a whole number.')
    const addition = { ...storedKey(key), amount: by, ttl: this.#ttl(ttlOf(options)) }
    this.#void(addition.key)
    return this.#table.increment(this.#address, addition, options)
  }

  /** Gives the entry a new ttl from now; its value and version stay. False when there is none. */
  touch(key: string, ttl?: Ttl, options?: CallOptions): Promise<boolean> {
    const ask = () => this.#table.touch(this.#address, indexKey(key), this.#ttl(ttl), options)
    return this.#orMiss(ask, () => false)
  }

  /**
   * Ends what is left of the entry's ttl: nobody is answered it any more, but for `getOrSet` within its grace, which serves it while it is loaded anew. What is being loaded of it meanwhile is not
   * stored. False when there was none alive.
   */
  expire(key: string, options?: CallOptions): Promise<boolean> {
    const ask = () => {
      const indexed = indexKey(key)
      this.#void(indexed)
      return this.#table.expire(this.#address, indexed, options)
    }
    return this.#orMiss(ask, () => false)
  }

  /** True when there was an entry. */
  async delete(key: string, options?: CallOptions): Promise<boolean> {
    const [isDeleted] = await this.deleteMany([key], options)
    return isDeleted as boolean
  }

  /** The same for each key, in their order; of a key named twice the second finds none. One statement, up to the batch's caps. */
  deleteMany(keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    const ask = () => {
      const indexed = indexKeys(keys)
      for (const key of indexed) this.#void(key)
      return this.#table.deleteMany(this.#address, indexed, options)
    }
    return this.#orMiss(ask, () => keys.map(() => false))
  }

  /** Gets and deletes in one step: of any number of takers one gets the value. */
  async take<Value = unknown>(key: string, options?: CallOptions): Promise<Value | undefined> {
    const indexed = indexKey(key)
    this.#void(indexed)
    return this.#table.take(this.#address, indexed, options) as Promise<Value | undefined>
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
    this.#door.loads?.voidAll(this.#address)
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
    const tags = tagNames(tag)
    this.#door.loads?.voidAll(this.#address)
    await this.#table.deleteByTag(this.#address, tags, options)
  }

  /** Empties the namespace in one small write, whatever it holds. */
  async clear(options?: CallOptions): Promise<void> {
    this.#door.loads?.voidAll(this.#address)
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

  /** A call of this process ends what is being loaded of the key. */
  #void(key: string): void {
    this.#door.loads?.voidKey(this.#address, key)
  }

  #graced(write: Write, given: number | null | undefined): Write {
    const grace = graceOf(given, this.#rules.grace)
    return grace > 0 ? { ...write, grace } : write
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

/** What is held near answers before the other options are looked at, which takes longer than a hit: they are of loads, and the first load refuses what will not do. */
function mayHit(options: LoadOptions | undefined): boolean {
  return options === undefined || (!options?.signal && !options?.forceFresh && options?.eagerRefresh === undefined)
}

/** @throws {InvalidArgumentError} */
function assertLoader(load: unknown): void {
  if (typeof load === 'function') return
  throw new InvalidArgumentError('load', 'must be a function', 'Pass getOrSet(key, () => value, options).')
}

function missOf<T>(error: unknown, miss: () => T): T {
  if (isOutage(error)) return miss()
  throw error
}

const nothing = () => undefined

function indexKeys(keys: readonly string[]): string[] {
  return assertList('keys', keys).map(indexKey)
}
