import addEntries from '../../sql/statements/add-entries.sql'
import compareAndSetEntries from '../../sql/statements/compare-and-set-entries.sql'
import deleteEntries from '../../sql/statements/delete-entries.sql'
import takeEntries from '../../sql/statements/take-entries.sql'
import touchEntries from '../../sql/statements/touch-entries.sql'
import writeEntries from '../../sql/statements/write-entries.sql'
import writeNamespace from '../../sql/statements/write-namespace.sql'
import writeValue from '../../sql/statements/write-value.sql'
import type { EncodedValue } from '../entry/codec'
import type { StoredKey } from '../entry/key'
import { addressColumns, byPosition, type Found, isFound, sharedAddress } from './batch-rows'
import type { Database } from './database'
import type { Row } from './driver'
import type { LaneRules } from './lane'
import type { Request } from './request'
import { statementOf } from './statement'

/** What a set writes. `ttl`: milliseconds, null for no expiry. */
export interface Write extends StoredKey {
  readonly value: EncodedValue
  readonly ttl: number | null
}

/** A write that asks for the version the entry must still have. */
export interface ConditionalWrite extends Write {
  readonly version: number
}

export interface CompareAndSetResult {
  readonly ok: boolean
  /** The new version, or the one that stands now; undefined where there is no entry. */
  readonly version: number | undefined
}

/**
 * Of those who share a row the last is stored; each gets a version. A lone set, and sets of one namespace, have statements of
 * their own, which cost less.
 */
export function writeRules(database: Database, schema: string): LaneRules<Write, number, number> {
  const lone = statementOf(writeValue, schema)
  const ofOneNamespace = statementOf(writeNamespace, schema)
  const any = statementOf(writeEntries, schema)
  const send = (requests: readonly Request<Write, number>[]) => {
    const writes = requests.map((request) => request.last.payload)
    const shares = unlessAll(
      1,
      requests.map((request) => request.sharers.length),
    )
    const address = sharedAddress(requests)
    if (address === undefined)
      return database.write(any, [...addressColumns(requests), ...writeColumns(writes), shares])
    const { tenant, namespace } = address
    const columns = [writes.map(({ key }) => key), ...writeColumns(writes), shares]
    if (requests.length > 1) return database.write(ofOneNamespace, [tenant, namespace, ...columns])
    const [{ key, longKey, value, ttl }] = writes as [Write]
    return database.write(lone, [
      tenant,
      namespace,
      key,
      longKey,
      value.format,
      value.text,
      ttl,
      requests[0]?.sharers.length,
    ])
  }
  return {
    isRead: false,
    isShared: true,
    bytesOf: ({ value }) => value.text.length,
    run: async (requests) => (await send(requests)).map(([version]) => version as number),
    // The last set has the row's version, each one before it one less.
    answer: (version, request, position) => version - (request.sharers.length - 1 - position),
  }
}

/** Of those who share a row the first may win. */
export function addRules(database: Database, schema: string): LaneRules<Write, boolean, boolean> {
  const statement = statementOf(addEntries, schema)
  return {
    isRead: false,
    isShared: true,
    bytesOf: ({ value }) => value.text.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.first.payload)
      const rows = await database.write(statement, [...addressColumns(requests), ...writeColumns(writes)])
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isAdded, _request, position) => isAdded && position === 0,
  }
}

/** Nobody shares. */
export function compareRules(
  database: Database,
  schema: string,
): LaneRules<ConditionalWrite, CompareAndSetResult, Found<Row>> {
  const statement = statementOf(compareAndSetEntries, schema)
  return {
    isRead: false,
    // Of two that expect one version, the second must see what the first did.
    isShared: false,
    bytesOf: ({ value }) => value.text.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.last.payload)
      const [, ...columns] = writeColumns(writes)
      const versions = writes.map(({ version }) => version)
      const rows = await database.write(statement, [...addressColumns(requests), ...columns, versions])
      return byPosition(rows, requests.length)
    },
    answer: (row) => ({ ok: row?.[1] === true, version: (row?.[2] as number | null) ?? undefined }),
  }
}

/** Of those who share a row the last says how long. */
export function touchRules(database: Database, schema: string): LaneRules<number | null, boolean, boolean> {
  const statement = statementOf(touchEntries, schema)
  return {
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const ttls = requests.map(({ last }) => last.payload)
      const rows = await database.write(statement, [...addressColumns(requests), ttls])
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isTouched) => isTouched,
  }
}

/** Of those who share a row the first deleted it. */
export function deleteRules(database: Database, schema: string): LaneRules<null, boolean, boolean> {
  const statement = statementOf(deleteEntries, schema)
  return {
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const rows = await database.write(statement, addressColumns(requests))
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isDeleted, _request, position) => isDeleted && position === 0,
  }
}

/** Of those who share a row the first who still waits gets it. */
export function takeRules(database: Database, schema: string): LaneRules<null, Found<Row>, Found<Row>> {
  const statement = statementOf(takeEntries, schema)
  return {
    isRead: false,
    isShared: true,
    run: async (requests) => byPosition(await database.write(statement, addressColumns(requests)), requests.length),
    answer: (row, { sharers }, position) => {
      const taker = sharers.findIndex(({ call }) => !call.isAbandoned)
      return position === taker ? row : undefined
    },
  }
}

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
  return values.every((value) => value === usual) ? null : [...values]
}
