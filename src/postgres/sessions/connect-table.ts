import clearSessions from '../../../sql/statements/sessions/connect/clear.sql'
import countSessions from '../../../sql/statements/sessions/connect/count.sql'
import deleteSessions from '../../../sql/statements/sessions/connect/delete.sql'
import listSessions from '../../../sql/statements/sessions/connect/list.sql'
import readSessions from '../../../sql/statements/sessions/connect/read.sql'
import sweepSessions from '../../../sql/statements/sessions/connect/sweep.sql'
import touchSessions from '../../../sql/statements/sessions/connect/touch.sql'
import writeSessions from '../../../sql/statements/sessions/connect/write.sql'
import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { Coalescer } from '../../coalescing/coalescer'
import type { Lane } from '../../coalescing/lane'
import type { LaneRules } from '../../coalescing/lane-rules'
import type { Located } from '../../coalescing/located'
import { byPosition, type Found } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOfTable, type TableName } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { joinTexts } from '../wire/text-list'
import type { SessionTable, SessionTouch, SessionWrite, StoredSession } from './table'

const rowsPerPage = 500

/** Some 10 ms a statement. */
const deletedPerStep = 2_000

/**
 * A table that connect-pg-simple has made, `(sid, sess, expire)`, read and written as it does, so that both may run side by side. It knows
 * neither tenants nor namespaces, so the address only puts calls in order.
 */
export class ConnectSessionTable implements SessionTable {
  readonly #database: StatementRunner
  readonly #coalescer: Coalescer
  readonly #reads: Lane<null, Found<Row>>
  readonly #writes: Lane<SessionWrite, undefined>
  readonly #touches: Lane<SessionTouch, undefined>
  readonly #deletes: Lane<null, boolean>
  readonly #statements: Readonly<Record<'list' | 'count' | 'clear' | 'sweep', Statement>>

  constructor(database: StatementRunner, coalescer: Coalescer, table: TableName) {
    this.#database = database
    this.#coalescer = coalescer
    this.#reads = coalescer.lane(readRules(database, table))
    this.#writes = coalescer.lane(writeRules(database, table))
    this.#touches = coalescer.lane(touchRules(database, table))
    this.#deletes = coalescer.lane(deleteRules(database, table))
    this.#statements = {
      list: statementOfTable(listSessions, table),
      count: statementOfTable(countSessions, table),
      clear: statementOfTable(clearSessions, table),
      sweep: statementOfTable(sweepSessions, table),
    }
  }

  read(address: Address, key: string, options?: CallOptions): Promise<StoredSession | undefined> {
    const found = (row: Found<Row>) => row && stored([key, ...row.slice(1)])
    return this.#coalescer.one(this.#reads, address, { key, payload: null }, found, options)
  }

  write(address: Address, write: SessionWrite, options?: CallOptions): Promise<undefined> {
    return this.#coalescer.one(this.#writes, address, { key: write.key, payload: write }, nothing, options)
  }

  touch(address: Address, touch: SessionTouch, options?: CallOptions): Promise<void> {
    return this.#coalescer.one(this.#touches, address, { key: touch.key, payload: touch }, nothing, options)
  }

  delete(address: Address, keys: readonly string[], options?: CallOptions): Promise<boolean[]> {
    return this.#coalescer.many(this.#deletes, address, keys, undefined, (isDeleted) => isDeleted, options)
  }

  async *list(address: Address, options?: CallOptions): AsyncGenerator<StoredSession, void> {
    let behind = ''
    for (;;) {
      const ask = () => this.#database.read(this.#statements.list, [behind, rowsPerPage])
      const rows = await this.#coalescer.aloneIn('session.list', address, ask, options)
      yield* rows.map(stored)
      if (rows.length < rowsPerPage) return
      behind = rows[rows.length - 1]?.[0] as string
    }
  }

  async count(address: Address, options?: CallOptions): Promise<number> {
    const ask = () => this.#database.read(this.#statements.count, [])
    const [row] = await this.#coalescer.aloneIn('session.length', address, ask, options)
    return row?.[0] as number
  }

  async clear(address: Address, options?: CallOptions): Promise<void> {
    const work = async (onStep: () => void) => {
      for (;;) {
        const [row] = await this.#database.write(this.#statements.clear, [deletedPerStep])
        if ((row?.[0] as number) < deletedPerStep) return
        onStep()
      }
    }
    await this.#coalescer.aloneIn('session.clear', address, work, options)
  }

  /**
   * Removes what is expired, in small steps; answers how many.
   * @param goesOn asked before each further step
   */
  async sweep(goesOn: () => Promise<boolean>): Promise<number> {
    let total = 0
    for (;;) {
      const [row] = await this.#database.write(this.#statements.sweep, [deletedPerStep])
      const swept = row?.[0] as number
      total += swept
      if (swept < deletedPerStep || !(await goesOn())) return total
    }
  }
}

function readRules(database: StatementRunner, table: TableName): LaneRules<null, Found<Row>, Found<Row>> {
  const statement = statementOfTable(readSessions, table)
  return {
    operation: 'session.get',
    isRead: true,
    isShared: true,
    run: async (requests) => byPosition(await database.read(statement, [keysOf(requests)]), requests.length),
    answer: (row) => row,
  }
}

/** Of those who share a row the last is stored. */
function writeRules(database: StatementRunner, table: TableName): LaneRules<SessionWrite, undefined, undefined> {
  const statement = statementOfTable(writeSessions, table)
  return {
    operation: 'session.set',
    isRead: false,
    isShared: true,
    bytesOf: ({ data }) => data.length,
    run: async (requests) => {
      const writes = requests.map((request) => request.last.payload)
      const { text, separator } = joinTexts(writes.map(({ data }) => data))
      await database.write(statement, [keysOf(requests), text, separator, writes.map(({ ttl }) => ttl)])
      return requests.map(nothing)
    },
    answer: nothing,
  }
}

/** Of those who share a row the last says how long. */
function touchRules(database: StatementRunner, table: TableName): LaneRules<SessionTouch, undefined, undefined> {
  const statement = statementOfTable(touchSessions, table)
  return {
    operation: 'session.touch',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const touches = requests.map((request) => request.last.payload)
      const [ttls, after] = [touches.map(({ ttl }) => ttl), touches.map(({ touchAfter }) => touchAfter)]
      await database.write(statement, [keysOf(requests), ttls, after])
      return requests.map(nothing)
    },
    answer: nothing,
  }
}

/** Of those who share a row the first deleted it. */
function deleteRules(database: StatementRunner, table: TableName): LaneRules<null, boolean, boolean> {
  const statement = statementOfTable(deleteSessions, table)
  return {
    operation: 'session.destroy',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      const rows = await database.write(statement, [keysOf(requests)])
      const live = new Set(rows.filter(([, isLive]) => isLive).map(([sid]) => sid))
      return requests.map(({ key }) => live.has(key))
    },
    answer: (isDeleted, _request, position) => isDeleted && position === 0,
  }
}

function keysOf(requests: readonly Located[]): string[] {
  return requests.map(({ key }) => key)
}

function stored(row: Row): StoredSession {
  const [id, data, leftMs] = row as [string, string, number]
  return { id, data, cookie: null, leftMs, version: 0 }
}

const nothing = () => undefined
