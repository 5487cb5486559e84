import type { SqlFile } from '../../../sql/sql-file'
import addEntries from '../../../sql/statements/entries/writes/add.sql'
import compareAndSetEntries from '../../../sql/statements/entries/writes/compare-and-set.sql'
import deleteEntries from '../../../sql/statements/entries/writes/delete.sql'
import expireEntries from '../../../sql/statements/entries/writes/expire.sql'
import writeEntries from '../../../sql/statements/entries/writes/set.sql'
import writeValue from '../../../sql/statements/entries/writes/set-alone.sql'
import writeNamespace from '../../../sql/statements/entries/writes/set-in-one-namespace.sql'
import takeEntries from '../../../sql/statements/entries/writes/take.sql'
import writeEntriesTold from '../../../sql/statements/entries/writes/told/set.sql'
import writeValueTold from '../../../sql/statements/entries/writes/told/set-alone.sql'
import writeNamespaceTold from '../../../sql/statements/entries/writes/told/set-in-one-namespace.sql'
import touchEntries from '../../../sql/statements/entries/writes/touch.sql'
import { type Address, addressOf } from '../../coalescing/address'
import type { LaneRules } from '../../coalescing/lane-rules'
import { sharedAddress } from '../../coalescing/located'
import type { Asked } from '../../coalescing/request'
import type { EncodedValue } from '../../entry/codec'
import type { StoredKey } from '../../entry/key'
import type { Tags } from '../../entry/tags'
import type { Telling } from '../near/telling'
import type { Tagging } from '../tags/tagging'
import { addressColumns, addressesOf, byPosition, type Found, isFound, tenantsAndNamespaces } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { joinTexts } from '../wire/text-list'

/** What a set writes. `ttl`: milliseconds, null for no expiry. */
export interface Write extends StoredKey {
  readonly value: EncodedValue
  readonly ttl: number | null
  /** undefined: none. */
  readonly tags?: Tags | undefined
  /** For how long after its expiry `getOrSet` may still serve it, in milliseconds. undefined: not at all. */
  readonly grace?: number | undefined
}

/** A write that asks for the version the entry must still have. */
export interface ConditionalWrite extends Write {
  readonly version: number
}

/** What `compareAndSet` answers. */
export interface CompareAndSetResult {
  /** Whether the entry had the version that was asked for, and was written. */
  readonly ok: boolean
  /** The new version, or the one that stands now; undefined where there is no entry. */
  readonly version: number | undefined
}

/**
 * Of those who share a row the last is stored; each gets a version. A lone set, and sets of one namespace, have statements of
 * their own, which cost less. Each has another that logs, for marked namespaces.
 */
export function writeRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
  tagging: Tagging,
): LaneRules<Write, number, number> {
  const lone = pairOf(writeValue, writeValueTold, schema)
  const ofOneNamespace = pairOf(writeNamespace, writeNamespaceTold, schema)
  const any = pairOf(writeEntries, writeEntriesTold, schema)
  const send = (
    requests: readonly Asked<Write, number>[],
    { plain, told }: Pair,
    values: readonly unknown[],
    learn: (rows: readonly Row[]) => void,
  ) =>
    telling.sendEither(
      requests,
      () => database.write(plain, values),
      (nonce) => database.write(told, [...values, nonce]),
      learn,
    )
  const runOne = async (request: Asked<Write, number>) => {
    const { address, sharers, last } = request
    const { key, longKey, value, ttl } = last.payload
    const { tenant, namespace } = address
    const values = [tenant, namespace, key, longKey, value.format, value.text, ttl, sharers.length]
    const [row] = await send([request], lone, values, ([row]) => row?.[1] && telling.marked.add(address))
    return [row?.[0] as number]
  }
  const runAll = (requests: readonly Asked<Write, number>[]) => {
    const writes = requests.map((request) => request.last.payload)
    const [longKeys, formats, texts, ttls] = writeColumns(writes)
    const { text, separator } = joinTexts(texts as string[])
    const shares = requests.map((request) => request.sharers.length)
    const columns = [longKeys, formats, text, ttls, unlessAll(1, shares), separator]
    const address = sharedAddress(requests)
    if (address !== undefined) {
      const values = [address.tenant, address.namespace, requests.map(({ key }) => key), ...columns]
      return send(requests, ofOneNamespace, values, ([row]) => row?.[4] && telling.marked.add(address))
    }
    const { addresses, places } = addressesOf(requests)
    const values = [...addressColumns(requests), ...columns, ...tenantsAndNamespaces(addresses), places]
    return send(requests, any, values, ([row]) => {
      const areTold = (row as Row)[4] as string
      for (const [at, isTold] of areTold.split(',').entries())
        if (isTold === 't') telling.marked.add(addresses[at] as Address)
    })
  }
  const runTagged = async (requests: readonly Asked<Write, number>[]) => {
    const writes = requests.map((request) => request.last.payload)
    const shares = requests.map((request) => request.sharers.length)
    const values = [...addressColumns(requests), ...writeColumns(writes), unlessAll(1, shares)]
    const tagged = await tagging.writes()
    const graces = unlessAll(
      null,
      writes.map(({ grace }) => grace ?? null),
    )
    const rows = await telling.send(requests, (nonce) =>
      tagged.run('set', values, requests, tagsOf(writes), nonce, [graces]),
    )
    return rows.map((row) => row[0] as number)
  }
  return {
    operation: 'set',
    isRead: false,
    isShared: true,
    bytesOf: ({ value }) => value.text.length,
    run: async (requests) => {
      if (requests.some(({ last: { payload } }) => payload.tags !== undefined || payload.grace !== undefined))
        return runTagged(requests)
      if (requests.length === 1) return runOne(requests[0] as Asked<Write, number>)
      return versionsOf(requests, (await runAll(requests)) as readonly VersionRow[])
    },
    // The last set has the row's version, each one before it one less.
    answer: (version, request, position) => version - (request.sharers.length - 1 - position),
  }
}

/** Two statements that write the same: one does nothing where a namespace is marked, one logs there. */
interface Pair {
  readonly plain: Statement
  readonly told: Statement
}

function pairOf(plain: SqlFile, told: SqlFile, schema: string): Pair {
  return { plain: statementOf(plain, schema), told: statementOf(told, schema) }
}

type VersionRow = readonly [version: number, tenant: string, namespace: string, key: string]

/** From the number the versions begin at, and the rows that have another. */
function versionsOf(requests: readonly Asked<Write, number>[], [first, ...others]: readonly VersionRow[]): number[] {
  const base = first?.[0] as number
  const versions = requests.map(({ sharers }) => base + sharers.length - 1)
  for (const [version, tenant, namespace, key] of others) {
    const address = addressOf(tenant, namespace)
    versions[requests.findIndex((request) => request.key === key && request.address.id === address.id)] = version
  }
  return versions
}

/** Of those who share a row the first may win. */
export function addRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
  tagging: Tagging,
): LaneRules<Write, boolean, boolean> {
  const statement = statementOf(addEntries, schema)
  return {
    operation: 'add',
    isRead: false,
    isShared: true,
    bytesOf: ({ value }) => value.text.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.first.payload)
      const values = [...addressColumns(requests), ...writeColumns(writes)]
      const tagged = areTagged(writes) ? await tagging.writes() : undefined
      const rows = await telling.send(requests, (nonce) =>
        tagged === undefined
          ? database.write(statement, [...values, nonce])
          : tagged.run('add', values, requests, tagsOf(writes), nonce),
      )
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isAdded, _request, position) => isAdded && position === 0,
  }
}

/** Nobody shares. */
export function compareRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
  tagging: Tagging,
): LaneRules<ConditionalWrite, CompareAndSetResult, Found<Row>> {
  const statement = statementOf(compareAndSetEntries, schema)
  return {
    operation: 'compareAndSet',
    isRead: false,
    // Of two that expect one version, the second must see what the first did.
    isShared: false,
    bytesOf: ({ value }) => value.text.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.last.payload)
      const [, ...columns] = writeColumns(writes)
      const versions = writes.map(({ version }) => version)
      const values = [...addressColumns(requests), ...columns, versions]
      const tagged = areTagged(writes) ? await tagging.writes() : undefined
      const rows = await telling.send(requests, (nonce) =>
        tagged === undefined
          ? database.write(statement, [...values, nonce])
          : tagged.run('compareAndSet', values, requests, tagsOf(writes), nonce),
      )
      return byPosition(rows, requests.length)
    },
    answer: (row) => ({ ok: row?.[1] === true, version: (row?.[2] as number | null) ?? undefined }),
  }
}

/** Of those who share a row the last says how long. */
export function touchRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
): LaneRules<number | null, boolean, boolean> {
  const statement = statementOf(touchEntries, schema)
  return {
    operation: 'touch',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const ttls = requests.map(({ last }) => last.payload)
      const values = [...addressColumns(requests), ttls]
      const rows = await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isTouched) => isTouched,
  }
}

/** Ends what is left of the ttl. */
export function expireRules(...[database, schema, telling]: RuleParts): LaneRules<null, boolean, boolean> {
  return onceRules('expire', database, statementOf(expireEntries, schema), telling)
}

export function deleteRules(...[database, schema, telling]: RuleParts): LaneRules<null, boolean, boolean> {
  return onceRules('delete', database, statementOf(deleteEntries, schema), telling)
}

type RuleParts = [database: StatementRunner, schema: string, telling: Telling]

/** What is done to an entry once: of those who share a row the first has done it. */
function onceRules(
  operation: string,
  database: StatementRunner,
  statement: Statement,
  telling: Telling,
): LaneRules<null, boolean, boolean> {
  return {
    operation,
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const values = addressColumns(requests)
      const rows = await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isDone, _request, position) => isDone && position === 0,
  }
}

/** Of those who share a row the first who still waits gets it. */
export function takeRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
): LaneRules<null, Found<Row>, Found<Row>> {
  const statement = statementOf(takeEntries, schema)
  return {
    operation: 'take',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const values = addressColumns(requests)
      const rows = await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
      return byPosition(rows, requests.length)
    },
    answer: (row, { sharers }, position) => {
      const taker = sharers.findIndex(({ call }) => !call.isAbandoned)
      return position === taker ? row : undefined
    },
  }
}

const areTagged = (writes: readonly Write[]): boolean => writes.some(({ tags }) => tags !== undefined)

const tagsOf = (writes: readonly Write[]): (Tags | undefined)[] => writes.map(({ tags }) => tags)

/** long_key[], format[], value[], ttl[]; null in the place of an array that holds only the usual. */
function writeColumns(writes: readonly Write[]): (unknown[] | null)[] {
  return [
    unlessAll(
      null,
      writes.map(({ longKey }) => longKey),
    ),
    unlessAll(
      't',
      writes.map(({ value }) => value.format),
    ),
    writes.map(({ value }) => value.text),
    unlessAll(
      null,
      writes.map(({ ttl }) => ttl),
    ),
  ]
}

function unlessAll<T>(usual: T, values: readonly T[]): T[] | null {
  for (const value of values) if (value !== usual) return [...values]
  return null
}
