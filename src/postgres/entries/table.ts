import countTenant from '../../../sql/statements/entries/reads/count.sql'
import clearNamespace from '../../../sql/statements/entries/writes/clear.sql'
import { type Address, addressOf } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { Coalescer, Watch } from '../../coalescing/coalescer'
import type { Lane } from '../../coalescing/lane'
import type { Item } from '../../coalescing/lane-rules'
import { decodeValue } from '../../entry/codec'
import type { StoredKey } from '../../entry/key'
import { CallAbortedError } from '../../errors'
import type { Telling } from '../near/telling'
import { Tagging } from '../tags/tagging'
import { type Found, isFound } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { type Addition, incrementRules } from './increments'
import { EntryListing, type Listing } from './listing'
import { countOf, type NamespaceCount } from './namespace-count'
import { type NearAnswer, type NearRow, numbersOf } from './near-answer'
import { entryRules, nearRules, ttlRules, valueRules } from './reads'
import {
  addRules,
  type CompareAndSetResult,
  type ConditionalWrite,
  compareRules,
  deleteRules,
  expireRules,
  takeRules,
  touchRules,
  type Write,
  writeRules,
} from './writes'

export type { Addition, CompareAndSetResult, ConditionalWrite, Listing, NearAnswer, NearRow, Write }

export interface EntryRecord {
  readonly value: unknown
  readonly version: number
  /** Epoch milliseconds of the database's clock; null for no expiry. */
  readonly expiresAt: number | null
}

/** A value, and how long it stays. */
export interface AgedValue {
  readonly value: unknown
  /** Milliseconds by the database's clock; null: for ever. */
  readonly leftMs: number | null
}

/** What a write answers. */
export interface WriteResult {
  /** The version written: the token for `compareAndSet`. */
  readonly version: number
}

/** The verbs on entries, each with its statement. All of them coalesce. */
export class EntryTable {
  readonly #database: StatementRunner
  readonly #telling: Telling
  readonly #coalescer: Coalescer
  readonly #listing: EntryListing
  readonly #tagging: Tagging
  readonly #clear: Statement
  readonly #count: Statement

  readonly #values: Lane<null, Found<Row>>
  readonly #entries: Lane<null, Found<Row>>
  readonly #near: Lane<null, NearAnswer>
  readonly #ttls: Lane<null, Found<Row>>
  readonly #writes: Lane<Write, number>
  readonly #adds: Lane<Write, boolean>
  readonly #comparisons: Lane<ConditionalWrite, CompareAndSetResult>
  readonly #additions: Lane<Addition, number>
  readonly #touches: Lane<number | null, boolean>
  readonly #expirations: Lane<null, boolean>
  readonly #deletes: Lane<null, boolean>
  readonly #takes: Lane<null, Found<Row>>

  constructor(database: StatementRunner, coalescer: Coalescer, schema: string, telling: Telling) {
    this.#database = database
    this.#telling = telling
    this.#coalescer = coalescer
    this.#listing = new EntryListing(database, schema, telling)
    this.#tagging = new Tagging(database, schema)
    this.#clear = statementOf(clearNamespace, schema)
    this.#count = statementOf(countTenant, schema)
    this.#values = coalescer.lane(valueRules(database, schema, this.#tagging))
    this.#entries = coalescer.lane(entryRules(database, schema, this.#tagging))
    this.#near = coalescer.lane(nearRules(database, schema, this.#tagging))
    this.#ttls = coalescer.lane(ttlRules(database, schema))
    this.#writes = coalescer.lane(writeRules(database, schema, telling, this.#tagging))
    this.#adds = coalescer.lane(addRules(database, schema, telling, this.#tagging))
    this.#comparisons = coalescer.lane(compareRules(database, schema, telling, this.#tagging))
    this.#additions = coalescer.lane(incrementRules(database, schema, telling))
    this.#touches = coalescer.lane(touchRules(database, schema, telling))
    this.#expirations = coalescer.lane(expireRules(database, schema, telling))
    this.#deletes = coalescer.lane(deleteRules(database, schema, telling))
    this.#takes = coalescer.lane(takeRules(database, schema, telling))
  }

  get(address: Address, key: string, options?: CallOptions): Promise<unknown> {
    return this.#coalescer.one(this.#values, address, { key, payload: null }, decoded, options)
  }

  getMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<unknown[]> {
    return this.#coalescer.many(this.#values, address, keys, undefined, decoded, options)
  }

  getEntry(address: Address, key: string, options?: CallOptions): Promise<EntryRecord | undefined> {
    return this.#coalescer.one(this.#entries, address, { key, payload: null }, recordOf, options)
  }

  async getAged(address: Address, key: string, options?: CallOptions): Promise<AgedValue | undefined> {
    const [answer] = await this.getManyNear(address, [key], options)
    const row = answer?.row
    return row && { value: decodeValue(row.format, row.text), leftMs: row.leftMs }
  }

  /** For a near cache; coalesced as other reads. */
  getNear<T>(address: Address, key: string, watch: Watch<NearAnswer, T>, options?: CallOptions): Promise<T> {
    return this.#coalescer.watched(this.#near, address, { key, payload: null }, watch, options)
  }

  getManyNear(address: Address, keys: readonly string[], options?: CallOptions): Promise<NearAnswer[]> {
    return this.#coalescer.many(this.#near, address, keys, undefined, same, options)
  }

  hasMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    return this.#coalescer.many(this.#ttls, address, keys, undefined, isFound, options)
  }

  /** Milliseconds left, null for no expiry, undefined for no entry. */
  ttl(address: Address, key: string, options?: CallOptions): Promise<number | null | undefined> {
    const left = (row: Found<Row>) => row?.[1] as number | null | undefined
    return this.#coalescer.one(this.#ttls, address, { key, payload: null }, left, options)
  }

  set(address: Address, write: Write, options?: CallOptions): Promise<WriteResult> {
    return this.#coalescer.one(this.#writes, address, itemOf(write), writtenAs, options)
  }

  setMany(address: Address, writes: readonly Write[], options?: CallOptions): Promise<WriteResult[]> {
    return this.#coalescer.many(this.#writes, address, writes.map(keyOf), writes, writtenAs, options)
  }

  add(address: Address, write: Write, options?: CallOptions): Promise<boolean> {
    return this.#coalescer.one(this.#adds, address, itemOf(write), same, options)
  }

  compareAndSet(address: Address, write: ConditionalWrite, options?: CallOptions): Promise<CompareAndSetResult> {
    return this.#coalescer.one(this.#comparisons, address, itemOf(write), same, options)
  }

  increment(address: Address, addition: Addition, options?: CallOptions): Promise<number> {
    return this.#coalescer.one(this.#additions, address, itemOf(addition), same, options)
  }

  touch(address: Address, key: string, ttl: number | null, options?: CallOptions): Promise<boolean> {
    return this.#coalescer.one(this.#touches, address, { key, payload: ttl }, same, options)
  }

  /** Ends what is left of its ttl, and not its grace. False: there was none alive. */
  expire(address: Address, key: string, options?: CallOptions): Promise<boolean> {
    return this.#coalescer.one(this.#expirations, address, { key, payload: null }, same, options)
  }

  deleteMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    return this.#coalescer.many(this.#deletes, address, keys, undefined, same, options)
  }

  take(address: Address, key: string, options?: CallOptions): Promise<unknown> {
    return this.#coalescer.one(this.#takes, address, { key, payload: null }, decoded, options)
  }

  /** One small write, however many entries there are; they are removed by the sweep. */
  clear(address: Address, options?: CallOptions): Promise<void> {
    return this.#coalescer.aloneIn('clear', address, () => this.#bump(address), options)
  }

  /** The same for every namespace of the tenant. */
  clearTenant(tenant: string, options?: CallOptions): Promise<void> {
    const address = addressOf(tenant, '')
    return this.#coalescer.aloneInTenant('clearTenant', address, () => this.#bump(address), options)
  }

  /** One small write for each tag, however many entries there are. Answers the numbers of tags that are void now. */
  deleteByTag(address: Address, tags: readonly string[], options?: CallOptions): Promise<readonly string[]> {
    return this.#coalescer.aloneIn('deleteByTag', address, () => this.#deleteByTag(address, tags), options)
  }

  /** The same of the tags of the whole tenant. */
  deleteTenantTags(tenant: string, tags: readonly string[], options?: CallOptions): Promise<readonly string[]> {
    const address = addressOf(tenant, '')
    const work = () => this.#deleteByTag(address, tags)
    return this.#coalescer.aloneInTenant('deleteByTenantTag', address, work, options)
  }

  /** Live entries under one of the tags, of the whole tenant where the namespace is ''; by hand: it reads all entries there. */
  async countTagged(tenant: string, namespace: string, tags: readonly string[]): Promise<number> {
    return (await this.#tagging.writes()).count(tenant, namespace, tags)
  }

  /** In steps; the time limit counts for each. Answers how many live entries went. */
  deletePrefix(address: Address, prefix: string, options?: CallOptions): Promise<number> {
    const work = (onStep: () => void) => this.#listing.deletePrefix(address, prefix, onStep)
    return this.#coalescer.aloneIn('deleteByPrefix', address, work, options)
  }

  /** Live keys, in byte order (those stored by digest: in the order of their digests). */
  async *keys(address: Address, listing: Listing, options?: CallOptions): AsyncGenerator<string, void> {
    for await (const row of this.#rows(address, listing, false, options)) yield row[1] as string
  }

  async *entries(address: Address, listing: Listing, options?: CallOptions): AsyncGenerator<[string, unknown], void> {
    for await (const row of this.#rows(address, listing, true, options)) {
      yield [row[1] as string, decodeValue(row[2] as string, row[3] as string)]
    }
  }

  async *#rows(
    address: Address,
    listing: Listing,
    withValues: boolean,
    options?: CallOptions,
  ): AsyncGenerator<Row, void> {
    // Whatever was asked before, awaited or not, is seen.
    await this.#coalescer.aloneIn('list', address, async () => {}, options)
    for await (const row of this.#listing.rows(address, listing, withValues)) {
      if (options?.signal?.aborted) throw new CallAbortedError('unknown', options.signal.reason)
      yield row
    }
  }

  /** Of each namespace of the tenant. */
  async count(tenant: string): Promise<NamespaceCount[]> {
    return (await this.#database.read(this.#count, [tenant])).map(countOf)
  }

  async #deleteByTag(address: Address, tags: readonly string[]): Promise<readonly string[]> {
    const statements = await this.#tagging.writes()
    const rows = await this.#telling.sendIn(address, (nonce) => statements.deleteByTag(address, tags, nonce))
    return numbersOf(rows[0]?.[0] as string | null)
  }

  async #bump(address: Address): Promise<void> {
    const { tenant, namespace } = address
    await this.#telling.sendIn(address, (nonce) => this.#database.write(this.#clear, [tenant, namespace, nonce]))
  }
}

const keyOf = ({ key }: StoredKey): string => key

const itemOf = <T extends StoredKey>(write: T): Item<T> => ({ key: write.key, payload: write })

const writtenAs = (version: number): WriteResult => ({ version })

const same = <T>(answer: T): T => answer

const decoded = (row: Found<Row>): unknown =>
  row === undefined ? undefined : decodeValue(row[1] as string, row[2] as string)

function recordOf(row: Found<Row>): EntryRecord | undefined {
  if (row === undefined) return undefined
  const [, format, text, version, expiresAt] = row as [number, string, string, number, number | null]
  return { value: decodeValue(format, text), version, expiresAt }
}
