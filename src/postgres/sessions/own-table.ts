import clearSessions from '../../../sql/statements/sessions/own/clear.sql'
import countSessions from '../../../sql/statements/sessions/own/count.sql'
import deleteSessions from '../../../sql/statements/sessions/own/delete.sql'
import deleteUserSessions from '../../../sql/statements/sessions/own/delete-of-user.sql'
import listSessions from '../../../sql/statements/sessions/own/list.sql'
import listUserSessions from '../../../sql/statements/sessions/own/list-of-user.sql'
import readSessions from '../../../sql/statements/sessions/own/read.sql'
import readSession from '../../../sql/statements/sessions/own/read-alone.sql'
import readNear from '../../../sql/statements/sessions/own/read-near.sql'
import replaceSessions from '../../../sql/statements/sessions/own/replace.sql'
import touchSessions from '../../../sql/statements/sessions/own/touch.sql'
import writeSessions from '../../../sql/statements/sessions/own/write.sql'
import writeSessionsTold from '../../../sql/statements/sessions/own/write-told.sql'
import { type Address, addressOf } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { Coalescer } from '../../coalescing/coalescer'
import type { Lane } from '../../coalescing/lane'
import type { LaneRules } from '../../coalescing/lane-rules'
import { type Located, sharedAddress } from '../../coalescing/located'
import type { Telling } from '../near/telling'
import { addressColumns, byPosition, type Found, isFound } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { joinTexts } from '../wire/text-list'
import type { Replaced, SessionKnowledge, SessionTouch, SessionWrite, StoredSession, UserSessionTable } from './table'

/** What a read for a near cache answers, of a session that is there or not. */
export interface NearSession {
  readonly session: StoredSession | undefined
  /** Whether every write of this namespace's sessions that is not in this answer's snapshot is one that logs. Otherwise the answer may not be kept. */
  readonly isTold: boolean
}

interface ConditionalWrite extends SessionWrite {
  readonly known: SessionKnowledge
}

/** Rows of a listing: some hundred kilobytes. */
const rowsPerPage = 500

const deletesPerStep = 5_000

/** The schema's own table of sessions. What is called at every request coalesces. */
export class OwnSessionTable implements UserSessionTable {
  readonly #database: StatementRunner
  readonly #coalescer: Coalescer
  readonly #reads: Lane<null, Found<Row>>
  readonly #nearReads: Lane<null, Row>
  readonly #writes: Lane<SessionWrite, number | undefined>
  readonly #replacements: Lane<ConditionalWrite, Replaced>
  readonly #touches: Lane<SessionTouch, void>
  readonly #deletes: Lane<null, boolean>
  readonly #statements: Readonly<Record<'list' | 'ofUser' | 'deleteOfUser' | 'count' | 'clear', Statement>>

  constructor(database: StatementRunner, coalescer: Coalescer, schema: string, telling: Telling) {
    this.#database = database
    this.#coalescer = coalescer
    this.#reads = coalescer.lane(readRules(database, schema))
    this.#nearReads = coalescer.lane(nearRules(database, schema))
    this.#writes = coalescer.lane(writeRules(database, schema, telling))
    this.#replacements = coalescer.lane(replaceRules(database, schema, telling))
    this.#touches = coalescer.lane(touchRules(database, schema, telling))
    this.#deletes = coalescer.lane(deleteRules(database, schema, telling))
    this.#statements = {
      list: statementOf(listSessions, schema),
      ofUser: statementOf(listUserSessions, schema),
      deleteOfUser: statementOf(deleteUserSessions, schema),
      count: statementOf(countSessions, schema),
      clear: statementOf(clearSessions, schema),
    }
  }

  read(address: Address, key: string, options?: CallOptions): Promise<StoredSession | undefined> {
    return this.#coalescer.one(this.#reads, address, { key, payload: null }, (row) => foundAt(key, row), options)
  }

  /** As `read`, for a near cache. */
  readNear(address: Address, key: string, options?: CallOptions): Promise<NearSession> {
    const answer = ([, isTold, ...stored]: Row): NearSession => ({
      isTold: isTold as boolean,
      session: foundAt(key, stored[0] === null ? undefined : [1, ...stored]),
    })
    return this.#coalescer.one(this.#nearReads, address, { key, payload: null }, answer, options)
  }

  write(address: Address, write: SessionWrite, options?: CallOptions): Promise<number | undefined> {
    return this.#coalescer.one(this.#writes, address, { key: write.key, payload: write }, same, options)
  }

  replace(address: Address, write: SessionWrite, known: SessionKnowledge, options?: CallOptions): Promise<Replaced> {
    const item = { key: write.key, payload: { ...write, known } }
    return this.#coalescer.one(this.#replacements, address, item, same, options)
  }

  touch(address: Address, touch: SessionTouch, options?: CallOptions): Promise<void> {
    return this.#coalescer.one(this.#touches, address, { key: touch.key, payload: touch }, same, options)
  }

  delete(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    return this.#coalescer.many(this.#deletes, address, keys, undefined, same, options)
  }

  async *list(address: Address, options?: CallOptions): AsyncGenerator<StoredSession, void> {
    const { tenant, namespace } = address
    let behind = ''
    for (;;) {
      const values = [tenant, namespace, behind, rowsPerPage]
      const rows = await this.#alone(address, () => this.#database.read(this.#statements.list, values), options)
      yield* rows.map(listed)
      if (rows.length < rowsPerPage) return
      behind = rows[rows.length - 1]?.[0] as string
    }
  }

  async ofUser(address: Address, userId: string, options?: CallOptions): Promise<StoredSession[]> {
    const values = [address.tenant, address.namespace, userId]
    const rows = await this.#alone(address, () => this.#database.read(this.#statements.ofUser, values), options)
    return rows.map(listed)
  }

  async deleteOfUser(
    address: Address,
    userId: string,
    except: readonly string[],
    options?: CallOptions,
  ): Promise<number> {
    const values = [address.tenant, address.namespace, userId, except]
    const [row] = await this.#alone(address, () => this.#database.write(this.#statements.deleteOfUser, values), options)
    return row?.[0] as number
  }

  async count(address: Address, options?: CallOptions): Promise<number> {
    const values = [address.tenant, address.namespace]
    const [row] = await this.#alone(address, () => this.#database.read(this.#statements.count, values), options)
    return row?.[0] as number
  }

  async clear(address: Address, options?: CallOptions): Promise<void> {
    const values = [address.tenant, address.namespace, deletesPerStep]
    const work = async (onStep: () => void) => {
      for (;;) {
        const [row] = await this.#database.write(this.#statements.clear, values)
        if ((row?.[0] as number) < deletesPerStep) return
        onStep()
      }
    }
    await this.#coalescer.aloneIn('session.clear', address, work, options)
  }

  /** Sees what was asked before, awaited or not, and nothing that is asked after. */
  #alone<T>(address: Address, work: () => Promise<T>, options?: CallOptions): Promise<T> {
    return this.#coalescer.aloneIn('session.list', address, work, options)
  }
}

function readRules(database: StatementRunner, schema: string): LaneRules<null, Found<Row>, Found<Row>> {
  const lone = statementOf(readSession, schema)
  const statement = statementOf(readSessions, schema)
  const runOne = async ({ address, key }: Located) => {
    const [row] = await database.read(lone, [address.tenant, address.namespace, key])
    return [row && [1, ...row]]
  }
  return {
    operation: 'session.get',
    isRead: true,
    isShared: true,
    run: async (requests) =>
      requests.length === 1
        ? runOne(requests[0] as Located)
        : byPosition(await database.read(statement, addressColumns(requests)), requests.length),
    answer: (row) => row,
  }
}

/** Rows of position, whether the namespace is told, data, cookie, milliseconds left, version; one for each session that is asked for. */
function nearRules(database: StatementRunner, schema: string): LaneRules<null, Row, Row> {
  const statement = statementOf(readNear, schema)
  return {
    operation: 'session.get',
    isRead: true,
    isShared: true,
    run: async (requests) =>
      byPosition(await database.read(statement, addressColumns(requests)), requests.length) as readonly Row[],
    answer: (row) => row,
    isHit: (row) => row[2] !== null,
  }
}

/** Of those who share a row the last is stored. */
function writeRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
): LaneRules<SessionWrite, number | undefined, number | undefined> {
  const plain = statementOf(writeSessions, schema)
  const told = statementOf(writeSessionsTold, schema)
  return {
    operation: 'session.set',
    isRead: false,
    isShared: true,
    bytesOf: ({ data }) => data.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.last.payload)
      const { text, separator } = joinTexts(writes.map(({ data }) => data))
      const values = [
        ...addressColumns(requests),
        writes.map(({ longKey }) => longKey),
        writes.map(({ userId }) => userId),
        text,
        writes.map(({ cookie }) => cookie),
        writes.map(({ ttl }) => ttl),
        writes.map(({ touchAfter }) => touchAfter),
        writes.map(({ keptMs }) => keptMs),
        separator,
      ]
      const address = sharedAddress(requests)
      const rows = await telling.sendEither(
        requests,
        // Those of several namespaces are few: they go by the one that looks at each.
        () => address && database.write(plain, [...values, address.tenant, address.namespace]),
        (nonce) => database.write(told, [...values, nonce]),
        () => address && telling.marked.add(address),
      )
      const versions = new Map(rows.map((row) => versionAt(row)))
      return requests.map(({ address, key }) => versions.get(placeOf(address, key)))
    },
    answer: (version) => version,
  }
}

const placeOf = ({ id }: Address, key: string): string => `${id}\0${key}`

function versionAt(row: Row): [place: string, version: number] {
  const [tenant, namespace, key, version] = row as [string, string, string, number]
  return [placeOf(addressOf(tenant, namespace, 'session'), key), version]
}

/** Nobody shares: of two that expect one version, the second must see what the first did. */
function replaceRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
): LaneRules<ConditionalWrite, Replaced, Replaced> {
  const statement = statementOf(replaceSessions, schema)
  return {
    operation: 'session.set',
    isRead: false,
    isShared: false,
    bytesOf: ({ data }) => data.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.last.payload)
      const values = [
        ...addressColumns(requests),
        writes.map(({ userId }) => userId),
        writes.map(({ data }) => data),
        writes.map(({ cookie }) => cookie),
        writes.map(({ ttl }) => ttl),
        writes.map(({ touchAfter }) => touchAfter),
        writes.map(({ known }) => known.version),
      ]
      const rows = await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
      const answers = byPosition(rows, requests.length).map(replacedOf)
      for (const [at, answer] of answers.entries()) learn(writes[at] as ConditionalWrite, answer)
      return answers
    },
    answer: (replaced) => replaced,
  }
}

function replacedOf(row: Found<Row>): Replaced {
  return { isSet: row?.[1] === true, version: (row?.[2] as number | null) ?? undefined }
}

/** Before the next statement leaves: a write of the same session that waits behind this one was made by whoever made this one. */
function learn({ known, data }: ConditionalWrite, { isSet, version }: Replaced): void {
  if (isSet && version !== undefined) known.learn({ version, data })
}

/** Of those who share a row the last says how long. */
function touchRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
): LaneRules<SessionTouch, void, undefined> {
  const statement = statementOf(touchSessions, schema)
  return {
    operation: 'session.touch',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const touches = requests.map((request) => request.last.payload)
      const values = [
        ...addressColumns(requests),
        touches.map(({ cookie }) => cookie),
        touches.map(({ ttl }) => ttl),
        touches.map(({ touchAfter }) => touchAfter),
      ]
      await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
      return requests.map(() => undefined)
    },
    answer: () => {},
  }
}

/** Of those who share a row the first deleted it. */
function deleteRules(database: StatementRunner, schema: string, telling: Telling): LaneRules<null, boolean, boolean> {
  const statement = statementOf(deleteSessions, schema)
  return {
    operation: 'session.destroy',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const values = addressColumns(requests)
      const rows = await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
      return byPosition(rows, requests.length).map(isFound)
    },
    answer: (isDeleted, _request, position) => isDeleted && position === 0,
  }
}

const same = <T>(answer: T): T => answer

function foundAt(id: string, row: Found<Row>): StoredSession | undefined {
  if (row === undefined) return undefined
  const [, data, cookie, leftMs, version] = row as [number, string, string | null, number, number]
  return { id, data, cookie, leftMs, version }
}

/** A row of a listing, whose first column is the id as the index holds it. */
function listed(row: Row): StoredSession {
  const [, id, data, cookie, leftMs, version] = row as [string, string, string, string | null, number, number]
  return { id, data, cookie, leftMs, version }
}
