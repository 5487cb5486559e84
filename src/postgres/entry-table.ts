import type { SqlFile } from '../../sql/sql-file'
import addEntries from '../../sql/statements/add-entries.sql'
import clearNamespace from '../../sql/statements/clear-namespace.sql'
import compareAndSetEntries from '../../sql/statements/compare-and-set-entries.sql'
import deleteEntries from '../../sql/statements/delete-entries.sql'
import deletePrefix from '../../sql/statements/delete-prefix.sql'
import incrementEntries from '../../sql/statements/increment-entries.sql'
import readEntries from '../../sql/statements/read-entries.sql'
import readTtls from '../../sql/statements/read-ttls.sql'
import readValue from '../../sql/statements/read-value.sql'
import readValues from '../../sql/statements/read-values.sql'
import scanEntries from '../../sql/statements/scan-entries.sql'
import takeEntries from '../../sql/statements/take-entries.sql'
import touchEntries from '../../sql/statements/touch-entries.sql'
import writeEntries from '../../sql/statements/write-entries.sql'
import { decodeValue, type EncodedValue } from '../entry/codec'
import type { StoredKey } from '../entry/key'
import { digestRange, upperBoundOf } from '../entry/key'
import type { KeyPattern } from '../entry/key-pattern'
import { NotAnIntegerError } from '../errors'
import { type Address, addressOf } from './address'
import type { CallOptions } from './call'
import type { Coalescer, Item } from './coalescer'
import type { Database } from './database'
import type { Row } from './driver'
import type { Lane, LaneRules } from './lane'
import type { Request } from './request'
import { type Statement, statementOf } from './statement'

/** What a set writes. `ttl`: milliseconds, null for no expiry. */
export interface Write extends StoredKey {
  readonly value: EncodedValue
  readonly ttl: number | null
}

/** A write that asks for the version the entry must still have. */
export interface ConditionalWrite extends Write {
  readonly version: number
}

/** An addition. `ttl` counts where it creates the entry. */
export interface Addition extends StoredKey {
  readonly amount: number
  readonly ttl: number | null
}

export interface EntryRecord {
  readonly value: unknown
  readonly version: number
  /** Epoch milliseconds of the database's clock; null for no expiry. */
  readonly expiresAt: number | null
}

export interface WriteResult {
  /** The version written: the token for `compareAndSet`. */
  readonly version: number
}

export interface CompareAndSetResult {
  readonly ok: boolean
  /** The new version, or the one that stands now; undefined where there is no entry. */
  readonly version: number | undefined
}

/** What of a namespace is listed: keys that start with `prefix` and match `pattern`. */
export interface Listing {
  readonly prefix?: string | undefined
  readonly pattern?: KeyPattern | undefined
}

/** Rows a page of a listing; entries come with their values, which may be large. */
const keysPerPage = 1_000
const entriesPerPage = 100
const deletesPerStep = 1_000

/** What a read of a key that is not there gives; also what it decodes to. */
type Found<T> = T | undefined

/** The verbs on entries, each with its statement. All of them coalesce. */
export class EntryTable {
  readonly #database: Database
  readonly #coalescer: Coalescer
  readonly #schema: string

  readonly #values: Lane<null, Found<Row>>
  readonly #entries: Lane<null, Found<Row>>
  readonly #ttls: Lane<null, Found<Row>>
  readonly #writes: Lane<Write, number>
  readonly #adds: Lane<Write, boolean>
  readonly #comparisons: Lane<ConditionalWrite, CompareAndSetResult>
  readonly #additions: Lane<Addition, number>
  readonly #touches: Lane<number | null, boolean>
  readonly #deletes: Lane<null, boolean>
  readonly #takes: Lane<null, Found<Row>>

  readonly #scan: Statement
  readonly #deletePrefix: Statement
  readonly #clear: Statement

  constructor(database: Database, coalescer: Coalescer, schema: string) {
    this.#database = database
    this.#coalescer = coalescer
    this.#schema = schema
    this.#values = coalescer.lane(this.#readRules(readValues, readValue))
    this.#entries = coalescer.lane(this.#readRules(readEntries))
    this.#ttls = coalescer.lane(this.#readRules(readTtls))
    this.#writes = coalescer.lane(this.#writeRules())
    this.#adds = coalescer.lane(this.#addRules())
    this.#comparisons = coalescer.lane(this.#compareRules())
    this.#additions = coalescer.lane(this.#incrementRules())
    this.#touches = coalescer.lane(this.#touchRules())
    this.#deletes = coalescer.lane(this.#deleteRules())
    this.#takes = coalescer.lane(this.#takeRules())
    this.#scan = this.#statement(scanEntries)
    this.#deletePrefix = this.#statement(deletePrefix)
    this.#clear = this.#statement(clearNamespace)
  }

  get(address: Address, key: string, options?: CallOptions): Promise<unknown> {
    return this.#coalescer.one(this.#values, address, { key, payload: null }, decoded, options)
  }

  getMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<unknown[]> {
    return this.#coalescer.many(this.#values, address, bare(keys), decoded, options)
  }

  getEntry(address: Address, key: string, options?: CallOptions): Promise<EntryRecord | undefined> {
    return this.#coalescer.one(this.#entries, address, { key, payload: null }, recordOf, options)
  }

  hasMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    return this.#coalescer.many(this.#ttls, address, bare(keys), isFound, options)
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
    return this.#coalescer.many(this.#writes, address, writes.map(itemOf), writtenAs, options)
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

  deleteMany(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    return this.#coalescer.many(this.#deletes, address, bare(keys), same, options)
  }

  take(address: Address, key: string, options?: CallOptions): Promise<unknown> {
    return this.#coalescer.one(this.#takes, address, { key, payload: null }, decoded, options)
  }

  /** One small write, however many entries there are; they are removed by the sweep. */
  clear(address: Address, options?: CallOptions): Promise<void> {
    return this.#coalescer.aloneIn(address, () => this.#bump(address.tenant, address.namespace), options)
  }

  /** The same for every namespace of the tenant. */
  clearTenant(tenant: string, options?: CallOptions): Promise<void> {
    return this.#coalescer.aloneInTenant(addressOf(tenant, ''), () => this.#bump(tenant, ''), options)
  }

  /** In steps, so that no statement runs long; answers how many live entries went. */
  deletePrefix(address: Address, prefix: string, options?: CallOptions): Promise<number> {
    return this.#coalescer.aloneIn(
      address,
      async () => {
        const short = await this.#deleteRange(address, prefix, prefix, upperBoundOf(prefix), false)
        return short + (await this.#deleteRange(address, prefix, digestRange.from, digestRange.upper, true))
      },
      options,
    )
  }

  /** Pages of live keys, in byte order of the keys (those stored by digest: in the order of their digests). */
  async *keys(address: Address, listing: Listing): AsyncGenerator<string, void> {
    for await (const row of this.#pages(address, listing, false)) yield row[1] as string
  }

  async *entries(address: Address, listing: Listing): AsyncGenerator<[string, unknown], void> {
    for await (const row of this.#pages(address, listing, true)) {
      yield [row[1] as string, decodeValue(row[2] as string, row[3] as string)]
    }
  }

  async *#pages(address: Address, listing: Listing, withValues: boolean): AsyncGenerator<Row, void> {
    // Whatever was asked before, awaited or not, is seen.
    await this.#coalescer.aloneIn(address, async () => {})
    const { pattern } = listing
    const prefix = longest(listing.prefix, pattern?.prefix)
    const filter = [listing.prefix ?? null, pattern?.expression ?? null]
    if (prefix === '') {
      yield* this.#range(address, '', null, filter, null, withValues)
      return
    }
    yield* this.#range(address, prefix, upperBoundOf(prefix) ?? null, filter, false, withValues)
    yield* this.#range(address, digestRange.from, digestRange.upper ?? null, filter, true, withValues)
  }

  async *#range(
    { tenant, namespace }: Address,
    from: string,
    upper: string | null,
    filter: readonly (string | null)[],
    isLong: boolean | null,
    withValues: boolean,
  ): AsyncGenerator<Row, void> {
    const limit = withValues ? entriesPerPage : keysPerPage
    let next = from
    for (;;) {
      const values = [tenant, namespace, next, upper, ...filter, isLong, withValues, limit]
      const rows = await this.#database.read(this.#scan, values)
      yield* rows
      if (rows.length < limit) return
      // Byte by byte, nothing lies between a key and the same key with the smallest character behind it.
      next = `${rows[rows.length - 1]?.[0]}\u0001`
    }
  }

  async #deleteRange(
    { tenant, namespace }: Address,
    prefix: string,
    from: string,
    upper: string | undefined,
    isLong: boolean,
  ): Promise<number> {
    let total = 0
    for (;;) {
      const values = [tenant, namespace, from, upper ?? null, prefix, isLong, deletesPerStep]
      const [row] = await this.#database.write(this.#deletePrefix, values)
      const [removed, live] = row as [number, number]
      total += live
      if (removed < deletesPerStep) return total
    }
  }

  async #bump(tenant: string, namespace: string): Promise<void> {
    await this.#database.write(this.#clear, [tenant, namespace])
  }

  #readRules(file: SqlFile, lone?: SqlFile): LaneRules<null, Found<Row>, Found<Row>> {
    const many = this.#statement(file)
    const one = lone && this.#statement(lone)
    return {
      isRead: true,
      isShared: true,
      run: async (requests) => {
        if (one !== undefined && requests.length === 1)
          return this.#readOne(one, requests[0] as Request<null, Found<Row>>)
        return byPosition(await this.#database.read(many, addressColumns(requests)), requests.length)
      },
      answer: (row) => row,
    }
  }

  /** Without the position that a row of a batch begins with: put there, so that both read alike. */
  async #readOne(statement: Statement, { address, key }: Request<null, Found<Row>>): Promise<Found<Row>[]> {
    const [row] = await this.#database.read(statement, [address.tenant, address.namespace, key])
    return [row && [1, ...row]]
  }

  #writeRules(): LaneRules<Write, number, number> {
    const statement = this.#statement(writeEntries)
    return {
      isRead: false,
      isShared: true,
      bytesOf: ({ value }) => value.text.length,
      run: async (requests) => {
        const writes = requests.map((request) => request.last.payload)
        const shares = requests.map((request) => request.sharers.length)
        const rows = await this.#database.write(statement, [
          ...addressColumns(requests),
          ...writeColumns(writes),
          shares,
        ])
        return rows.map(([version]) => version as number)
      },
      // The last set has the row's version, each one before it one less.
      answer: (version, request, position) => version - (request.sharers.length - 1 - position),
    }
  }

  #addRules(): LaneRules<Write, boolean, boolean> {
    const statement = this.#statement(addEntries)
    return {
      isRead: false,
      isShared: true,
      bytesOf: ({ value }) => value.text.length,
      run: async (requests) => {
        const writes = requests.map((request) => request.first.payload)
        const rows = await this.#database.write(statement, [...addressColumns(requests), ...writeColumns(writes)])
        return byPosition(rows, requests.length).map(isFound)
      },
      answer: (isAdded, _request, position) => isAdded && position === 0,
    }
  }

  #compareRules(): LaneRules<ConditionalWrite, CompareAndSetResult, Found<Row>> {
    const statement = this.#statement(compareAndSetEntries)
    return {
      isRead: false,
      // Of two that expect one version, the second must see what the first did.
      isShared: false,
      bytesOf: ({ value }) => value.text.length,
      run: async (requests) => {
        const writes = requests.map((request) => request.last.payload)
        const [, ...columns] = writeColumns(writes)
        const versions = writes.map(({ version }) => version)
        const rows = await this.#database.write(statement, [...addressColumns(requests), ...columns, versions])
        return byPosition(rows, requests.length)
      },
      answer: (row) => ({ ok: row?.[1] === true, version: (row?.[2] as number | null) ?? undefined }),
    }
  }

  #incrementRules(): LaneRules<Addition, number, (number | undefined)[]> {
    const statement = this.#statement(incrementEntries)
    const run = async (requests: readonly Request<Addition, number>[], amounts: readonly number[]) => {
      const longKeys = requests.map(({ first }) => first.payload.longKey)
      const ttls = requests.map(({ first }) => first.payload.ttl)
      const rows = await this.#database.write(statement, [...addressColumns(requests), longKeys, amounts, ttls])
      return byPosition(rows, requests.length).map((row) => (row === undefined ? undefined : Number(row[1])))
    }
    const runApart = async (request: Request<Addition, number>) => {
      const sums: (number | undefined)[] = []
      for (const { payload } of request.sharers) sums.push(...(await run([request], [payload.amount])))
      return sums
    }
    return {
      isRead: false,
      isShared: true,
      run: async (requests) => {
        const joint = requests.filter(addsUp)
        const totals = joint.length > 0 ? await run(joint, joint.map(totalOf)) : []
        const totalAt = new Map(joint.map((request, at) => [request, totals[at]]))
        return Promise.all(
          requests.map((request) => {
            const total = totalAt.get(request)
            if (total !== undefined) return runningSums(request, total)
            // Refused together: one caller's amount may fit where another's does not.
            return request.sharers.length === 1 ? [undefined] : runApart(request)
          }),
        )
      },
      answer: (sums, _request, position) => {
        const sum = sums[position]
        if (sum === undefined) throw new NotAnIntegerError()
        return sum
      },
    }
  }

  #touchRules(): LaneRules<number | null, boolean, boolean> {
    const statement = this.#statement(touchEntries)
    return {
      isRead: false,
      isShared: true,
      run: async (requests) => {
        const ttls = requests.map(({ last }) => last.payload)
        const rows = await this.#database.write(statement, [...addressColumns(requests), ttls])
        return byPosition(rows, requests.length).map(isFound)
      },
      answer: (isTouched) => isTouched,
    }
  }

  #deleteRules(): LaneRules<null, boolean, boolean> {
    const statement = this.#statement(deleteEntries)
    return {
      isRead: false,
      isShared: true,
      run: async (requests) => {
        const rows = await this.#database.write(statement, addressColumns(requests))
        return byPosition(rows, requests.length).map(isFound)
      },
      answer: (isDeleted, _request, position) => isDeleted && position === 0,
    }
  }

  #takeRules(): LaneRules<null, Found<Row>, Found<Row>> {
    const statement = this.#statement(takeEntries)
    return {
      isRead: false,
      isShared: true,
      run: async (requests) =>
        byPosition(await this.#database.write(statement, addressColumns(requests)), requests.length),
      answer: (row, _request, position) => (position === 0 ? row : undefined),
    }
  }

  #statement(file: SqlFile): Statement {
    return statementOf(file, this.#schema)
  }
}

const bare = (keys: readonly string[]): Item<null>[] => keys.map((key) => ({ key, payload: null }))

const itemOf = <T extends StoredKey>(write: T): Item<T> => ({ key: write.key, payload: write })

const writtenAs = (version: number): WriteResult => ({ version })

const same = <T>(answer: T): T => answer

const isFound = (row: Found<Row>): boolean => row !== undefined

const decoded = (row: Found<Row>): unknown =>
  row === undefined ? undefined : decodeValue(row[1] as string, row[2] as string)

function recordOf(row: Found<Row>): EntryRecord | undefined {
  if (row === undefined) return undefined
  const [, format, text, version, expiresAt] = row as [number, string, string, number, number | null]
  return { value: decodeValue(format, text), version, expiresAt }
}

/** tenant[], namespace[], key[] */
function addressColumns(requests: readonly { readonly address: Address; readonly key: string }[]): string[][] {
  const tenants: string[] = []
  const namespaces: string[] = []
  const keys: string[] = []
  for (const { address, key } of requests) {
    tenants.push(address.tenant)
    namespaces.push(address.namespace)
    keys.push(key)
  }
  return [tenants, namespaces, keys]
}

/** long_key[], format[], value[], ttl[] */
function writeColumns(writes: readonly Write[]): unknown[][] {
  return [
    writes.map(({ longKey }) => longKey),
    writes.map(({ value }) => value.format),
    writes.map(({ value }) => value.text),
    writes.map(({ ttl }) => ttl),
  ]
}

/** Rows begin with the position of their request, from 1; requests without a row get undefined. */
function byPosition(rows: readonly Row[], size: number): Found<Row>[] {
  const placed = new Array<Found<Row>>(size).fill(undefined)
  for (const row of rows) placed[(row[0] as number) - 1] = row
  return placed
}

function totalOf(request: Request<Addition, number>): number {
  return request.sharers.reduce((sum, { payload }) => sum + payload.amount, 0)
}

/** Whether the sum fits if and only if each step towards it does: all amounts have one sign, and their total is exact. */
function addsUp(request: Request<Addition, number>): boolean {
  const signs = new Set(request.sharers.map(({ payload }) => payload.amount < 0))
  return signs.size === 1 && Number.isSafeInteger(totalOf(request))
}

/** What each sharer would have got, had they come one by one. */
function runningSums(request: Request<Addition, number>, final: number): number[] {
  let sum = final - totalOf(request)
  return request.sharers.map(({ payload }) => {
    sum += payload.amount
    return sum
  })
}

function longest(a = '', b = ''): string {
  return a.length >= b.length ? a : b
}
