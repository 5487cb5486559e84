import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import { assertKnown } from '../../entry/known-options'
import { InvalidArgumentError } from '../../errors'
import { wakingNow } from '../../own-clock'
import type {
  Addition,
  AgedValue,
  CompareAndSetResult,
  ConditionalWrite,
  EntryRecord,
  EntryTable,
  Listing,
  NearAnswer,
  Write,
  WriteResult,
} from '../../postgres/entries/table'
import type { NearVerbs, ReadOptions } from '../entries/verbs'
import type { ResolvedNearOptions } from '../options/near'
import { isOutage } from '../options/outage'
import type { Coherence, WriteUnderWay } from './coherence'
import type { Held, Place } from './memory'
import { NearRead } from './read'
import { agedView, presence, recordView, timeLeft, type View, valueView } from './view'

/** What the tables of a stash have in common. */
export interface NearHouse {
  readonly coherence: Coherence
  /** Whether `beforeRead` has nothing to wait for. */
  readonly isProven: boolean
  /** A read goes to the database; rejects where nothing can be held near. undefined: that is known to go well. */
  beforeRead(): Promise<void> | undefined
  /** A write leaves. */
  beforeWrite(): void
  /** Nobody is known to tell the log of what is written here. */
  mark(address: Address): void
}

/** What keys stored by digest begin with: `#sha256:`. */
const digestMark = 35

/** The verbs on entries of one namespace, answered from memory where that may be. */
export class NearTable implements NearVerbs {
  readonly #house: NearHouse
  readonly #coherence: Coherence
  readonly #entries: EntryTable
  readonly #address: Address
  readonly #rules: ResolvedNearOptions
  readonly #values: View<unknown>
  readonly #records: View<EntryRecord | undefined>
  readonly #aged: View<AgedValue | undefined>
  #place: Place

  constructor(house: NearHouse, entries: EntryTable, address: Address, rules: ResolvedNearOptions) {
    this.#house = house
    this.#coherence = house.coherence
    this.#entries = entries
    this.#address = address
    this.#rules = rules
    this.#values = valueView(house.coherence, rules.isFrozen)
    this.#records = recordView(this.#values)
    this.#aged = agedView(this.#values)
    this.#place = house.coherence.place(address)
  }

  /**
   * What memory answers, before anything else is looked at: of a key that is held it is known to be one.
   * @param key as the caller wrote it
   */
  hit(key: string, options: ReadOptions | undefined): Promise<unknown> | undefined {
    if (typeof key !== 'string' || key.charCodeAt(0) === digestMark) return undefined
    const held = options === undefined ? this.#find(key) : this.#findAs(key, options)
    if (held === undefined) return undefined
    this.#coherence.counts.hits += 1
    return Promise.resolve(this.#values.ofHeld(held))
  }

  get(_address: Address, key: string, options?: ReadOptions): Promise<unknown> {
    return this.#readOne(key, options, this.#values)
  }

  getMany(_address: Address, keys: readonly string[], options?: ReadOptions): Promise<unknown[]> {
    return this.#readMany(keys, options, this.#values)
  }

  getEntry(_address: Address, key: string, options?: ReadOptions): Promise<EntryRecord | undefined> {
    return this.#readOne(key, options, this.#records)
  }

  getAged(_address: Address, key: string, options?: ReadOptions): Promise<AgedValue | undefined> {
    return this.#readOne(key, options, this.#aged)
  }

  hasMany(_address: Address, keys: readonly string[], options?: ReadOptions): Promise<boolean[]> {
    return this.#readMany(keys, options, presence)
  }

  ttl(_address: Address, key: string, options?: ReadOptions): Promise<number | null | undefined> {
    return this.#readOne(key, options, timeLeft)
  }

  set(address: Address, write: Write, options?: CallOptions): Promise<WriteResult> {
    return this.#write(write.key, this.#entries.set(address, write, options), write)
  }

  async setMany(address: Address, writes: readonly Write[], options?: CallOptions): Promise<WriteResult[]> {
    const underWay = writes.map(({ key }) => this.#beginWrite(key))
    try {
      const results = await this.#entries.setMany(address, writes, options)
      for (const [at, result] of results.entries()) this.#wrote(underWay.shift(), writes[at] as Write, result.version)
      return results
    } finally {
      for (const write of underWay) this.#coherence.endWrite(write)
    }
  }

  add(address: Address, write: Write, options?: CallOptions): Promise<boolean> {
    return this.#change(write.key, () => this.#entries.add(address, write, options))
  }

  async compareAndSet(address: Address, write: ConditionalWrite, options?: CallOptions): Promise<CompareAndSetResult> {
    return this.#change(write.key, () => this.#entries.compareAndSet(address, write, options))
  }

  increment(address: Address, addition: Addition, options?: CallOptions): Promise<number> {
    return this.#change(addition.key, () => this.#entries.increment(address, addition, options))
  }

  touch(address: Address, key: string, ttl: number | null, options?: CallOptions): Promise<boolean> {
    return this.#change(key, () => this.#entries.touch(address, key, ttl, options))
  }

  expire(address: Address, key: string, options?: CallOptions): Promise<boolean> {
    return this.#change(key, () => this.#entries.expire(address, key, options))
  }

  async storing(
    key: string,
    write: Write | undefined,
    send: () => Promise<number | undefined>,
  ): Promise<number | undefined> {
    let underWay: WriteUnderWay | undefined = this.#beginWrite(key)
    try {
      const version = await send()
      if (version === undefined || write === undefined) return version
      this.#wrote(underWay, write, version)
      underWay = undefined
      return version
    } finally {
      if (underWay !== undefined) this.#coherence.endWrite(underWay)
    }
  }

  async deleteMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    const underWay = keys.map((key) => this.#beginWrite(key))
    try {
      return await this.#entries.deleteMany(address, keys, options)
    } finally {
      for (const write of underWay) this.#coherence.endWrite(write)
    }
  }

  take(address: Address, key: string, options?: CallOptions): Promise<unknown> {
    return this.#change(key, () => this.#entries.take(address, key, options))
  }

  clear(address: Address, options?: CallOptions): Promise<void> {
    return this.#sweep(() => this.#entries.clear(address, options))
  }

  /** The whole namespace is read anew: no list is kept of what begins how. */
  deletePrefix(address: Address, prefix: string, options?: CallOptions): Promise<number> {
    return this.#sweep(() => this.#entries.deletePrefix(address, prefix, options))
  }

  /** Here all of the namespace is read anew; elsewhere what is under the tags. */
  deleteByTag(address: Address, tags: readonly string[], options?: CallOptions): Promise<readonly string[]> {
    return this.#sweep(() => this.#entries.deleteByTag(address, tags, options))
  }

  keys(address: Address, listing: Listing, options?: CallOptions): AsyncGenerator<string, void> {
    return this.#entries.keys(address, listing, options)
  }

  entries(address: Address, listing: Listing, options?: CallOptions): AsyncGenerator<[string, unknown], void> {
    return this.#entries.entries(address, listing, options)
  }

  /** Asked for anew where it was forgotten, which happens to those not used for long. */
  private get place(): Place {
    if (this.#place.isForgotten) this.#place = this.#coherence.place(this.#address)
    return this.#place
  }

  #find(key: string): Held | undefined {
    const held = this.#place.entries.get(key)
    return held !== undefined && this.#coherence.mayAnswer(held, wakingNow()) ? held : undefined
  }

  /** @throws {InvalidArgumentError} an option of reads that will not do */
  #findAs(key: string, options: ReadOptions | undefined): Held | undefined {
    if (!mayHit(options)) return undefined
    const held = this.#find(key)
    return held !== undefined && held.version < (options?.minVersion ?? 0) ? undefined : held
  }

  /** One promise, and nothing in between: as a namespace that holds nothing near. */
  #readOne<T>(key: string, options: ReadOptions | undefined, view: View<T>): Promise<T> {
    const held = this.#findAs(key, options)
    if (held !== undefined && view.isEnough(held)) {
      this.#coherence.counts.hits += 1
      return Promise.resolve(view.ofHeld(held))
    }
    if (!this.#house.isProven || this.#mayOutlast(options)) {
      return this.#readMany([key], options, view).then(([answer]) => answer as T)
    }
    const asked = this.#entries.getNear(this.#address, key, this.#watch(key, view), options)
    void this.#house.beforeRead()
    return asked
  }

  /** Each key from memory, or else from the database, all of those in one call. */
  async #readMany<T>(keys: readonly string[], options: ReadOptions | undefined, view: View<T>): Promise<T[]> {
    const held = keys.map((key) => {
      const one = this.#findAs(key, options)
      return one !== undefined && view.isEnough(one) ? one : undefined
    })
    const asked = keys.filter((_key, at) => held[at] === undefined)
    this.#coherence.counts.hits += keys.length - asked.length
    // What was found counts as of now: it may be void when the others are answered.
    const answers = held.map((one) => (one === undefined ? view.ofNone : view.ofHeld(one)))
    if (asked.length === 0 && keys.length > 0) return answers
    const asking = this.#askMany(asked, options, view)
    const found = await (this.#mayOutlast(options) ? this.#orHeld(asking, asked, options, view) : asking)
    let next = 0
    for (const [at, one] of held.entries()) if (one === undefined) answers[at] = found[next++] as T
    return answers
  }

  async #askMany<T>(keys: readonly string[], options: ReadOptions | undefined, view: View<T>): Promise<T[]> {
    const watches = keys.map((key) => this.#watch(key, view))
    for (const watch of watches) watch.begin()
    try {
      const asked = this.#entries.getManyNear(this.#address, keys, options)
      const proof = this.#house.beforeRead()
      const answers = proof === undefined ? await asked : (await Promise.all([asked, proof]))[0]
      return watches.map((watch, at) => watch.answered(answers[at] as NearAnswer))
    } finally {
      for (const watch of watches) watch.end()
    }
  }

  #watch<T>(key: string, view: View<T>): NearRead<T> {
    return new NearRead(this.#house, this.#rules, this.#address, this.place, key, view)
  }

  #mayOutlast(options: ReadOptions | undefined): boolean {
    return this.#rules.staleIfErrorMs > 0 && !options?.fresh
  }

  /** While the database is away: what is held, for a while beyond the bound. */
  async #orHeld<T>(
    asked: Promise<readonly T[]>,
    keys: readonly string[],
    options: ReadOptions | undefined,
    view: View<T>,
  ): Promise<readonly T[]> {
    try {
      return await asked
    } catch (error) {
      if (!isOutage(error)) throw error
      const now = wakingNow()
      const least = options?.minVersion ?? 0
      const held = keys.map((key) => this.#coherence.find(this.#place, key, now, this.#rules.staleIfErrorMs))
      if (held.some((one) => one === undefined || one.version < least || !view.isEnough(one))) throw error
      return (held as Held[]).map((one) => view.ofHeld(one))
    }
  }

  #beginWrite(key: string): WriteUnderWay {
    this.#house.beforeWrite()
    return this.#coherence.beginWrite(this.place, key)
  }

  async #write(key: string, sent: Promise<WriteResult>, write: Write): Promise<WriteResult> {
    let underWay: WriteUnderWay | undefined = this.#beginWrite(key)
    try {
      const result = await sent
      this.#wrote(underWay, write, result.version)
      underWay = undefined
      return result
    } finally {
      if (underWay !== undefined) this.#coherence.endWrite(underWay)
    }
  }

  #wrote(underWay: WriteUnderWay | undefined, { value, ttl, tags }: Write, version: number): void {
    if (underWay === undefined) return
    // The answer does not tell the numbers of its tags.
    const mayEnter = tags === undefined && value.text.length <= mostWrittenThrough
    const expiresAt = ttl === null ? null : undefined
    const row = { format: value.format, text: value.text, version, leftMs: ttl, expiresAt }
    if (mayEnter) this.#coherence.endWrite(underWay, row, this.#rules)
    else this.#coherence.endWrite(underWay)
  }

  async #change<T>(key: string, send: () => Promise<T>): Promise<T> {
    const underWay = this.#beginWrite(key)
    try {
      return await send()
    } finally {
      this.#coherence.endWrite(underWay)
    }
  }

  async #sweep<T>(send: () => Promise<T>): Promise<T> {
    this.#house.beforeWrite()
    const { epoch } = this.place
    this.#coherence.beginSweep(epoch)
    try {
      return await send()
    } finally {
      this.#coherence.endSweep(epoch)
    }
  }
}

/** Longer texts may be pieces of longer ones still, or be made of pieces; a copy costs more than a read. */
const mostWrittenThrough = 65_536

/** One that is misspelt would be answered from memory, where somebody asked for better. */
const readOptionNames: ReadonlySet<string> = new Set(['fresh', 'minVersion', 'signal'])

/** @throws {InvalidArgumentError} an option of reads that will not do */
function mayHit(options: ReadOptions | undefined): boolean {
  if (options === undefined || options === null) return true
  assertKnown('options', options, readOptionNames)
  const { fresh, minVersion, signal } = options
  if (fresh !== undefined && typeof fresh !== 'boolean') {
    throw new InvalidArgumentError('fresh', 'must be true or false', 'Leave it out for the default.')
  }
  if (minVersion !== undefined && !(Number.isSafeInteger(minVersion) && minVersion >= 0)) {
    throw new InvalidArgumentError(
      'minVersion',
      'must be the version of an entry',
      'Take it from the answer of a write.',
    )
  }
  // Whoever asks with a signal that is no signal, or was aborted, is told so by the call.
  return typeof options === 'object' && fresh !== true && (signal === undefined || signal?.aborted === false)
}
