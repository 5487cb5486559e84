import scanEntries from '../../../sql/statements/entries/reads/scan.sql'
import deletePrefix from '../../../sql/statements/entries/writes/delete-prefix.sql'
import type { Address } from '../../coalescing/address'
import { digestMark } from '../../entry/key'
import type { KeyPattern } from '../../entry/key-pattern'
import type { Telling } from '../near/telling'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

/** What of a namespace is listed: keys that start with `prefix` and match `pattern`. */
export interface Listing {
  readonly prefix?: string | undefined
  readonly pattern?: KeyPattern | undefined
}

/** Rows a page of a listing; entries come with their values, which may be large. */
const keysPerPage = 1_000
const entriesPerPage = 100
const deletesPerStep = 1_000

/** The stored keys that begin so; `isLong`: only keys stored by digest, only the others, or (null) all. */
interface Range {
  readonly prefix: string
  readonly isLong: boolean | null
}

/** Walks a namespace in the order of its index, page by page: no statement runs long. */
export class EntryListing {
  readonly #database: StatementRunner
  readonly #telling: Telling
  readonly #scan: Statement
  readonly #deletePrefix: Statement

  constructor(database: StatementRunner, schema: string, telling: Telling) {
    this.#database = database
    this.#telling = telling
    this.#scan = statementOf(scanEntries, schema)
    this.#deletePrefix = statementOf(deletePrefix, schema)
  }

  /** Rows of stored key, key, format, value (null unless asked for). */
  async *rows(address: Address, { prefix, pattern }: Listing, withValues: boolean): AsyncGenerator<Row, void> {
    const filter = [prefix ?? null, pattern?.expression ?? null]
    for (const range of rangesOf(longest(prefix, pattern?.prefix))) {
      yield* this.#range(address, range, filter, withValues)
    }
  }

  /** Answers how many live entries went; `onStep` is told after each step. */
  async deletePrefix(address: Address, prefix: string, onStep: () => void): Promise<number> {
    let total = 0
    for (const range of rangesOf(prefix)) total += await this.#deleteRange(address, prefix, range, onStep)
    return total
  }

  async *#range(
    { tenant, namespace }: Address,
    { prefix, isLong }: Range,
    filter: readonly (string | null)[],
    withValues: boolean,
  ): AsyncGenerator<Row, void> {
    const limit = withValues ? entriesPerPage : keysPerPage
    let next = prefix
    for (;;) {
      const values = [tenant, namespace, next, prefix, ...filter, isLong, withValues, limit]
      const rows = await this.#database.read(this.#scan, values)
      yield* rows
      if (rows.length < limit) return
      next = justBehind(rows[rows.length - 1]?.[0] as string)
    }
  }

  async #deleteRange(address: Address, wanted: string, { prefix, isLong }: Range, onStep: () => void): Promise<number> {
    let total = 0
    let next = prefix
    for (;;) {
      const values = [address.tenant, address.namespace, next, prefix, wanted, isLong, deletesPerStep]
      const [row] = await this.#telling.sendIn(address, (nonce) =>
        this.#database.write(this.#deletePrefix, [...values, nonce]),
      )
      const [removed, live, lastKey] = row as [number, number, string]
      total += live
      if (removed < deletesPerStep) return total
      next = justBehind(lastKey)
      onStep()
    }
  }
}

/** Byte by byte, nothing lies between a key and the same key with the smallest character behind it. */
function justBehind(key: string): string {
  return `${key}\u0001`
}

/** Keys that start with a prefix are one range; those among them that are stored by digest may be anywhere in theirs. */
function rangesOf(prefix: string): Range[] {
  if (prefix === '') return [{ prefix, isLong: null }]
  return [
    { prefix, isLong: false },
    { prefix: digestMark, isLong: true },
  ]
}

function longest(a = '', b = ''): string {
  return a.length >= b.length ? a : b
}
