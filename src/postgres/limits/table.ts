import adjustCounters from '../../../sql/statements/limits/adjust.sql'
import clearCounters from '../../../sql/statements/limits/clear.sql'
import deleteCounters from '../../../sql/statements/limits/delete.sql'
import readCounters from '../../../sql/statements/limits/read.sql'
import { type Address, addressOf } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { Coalescer } from '../../coalescing/coalescer'
import type { Lane } from '../../coalescing/lane'
import type { LaneRules } from '../../coalescing/lane-rules'
import type { Asked } from '../../coalescing/request'
import type { StoredKey } from '../../entry/key'
import type { CounterState, Limit } from '../../entry/limits/limit'
import { addressColumns, byPosition, type Found } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { algorithmLetters, type Consumption, type Counting, consumeRules, type Verdict } from './consumptions'
import { type LimitsCall, type LimitsVerdict, limitsRules } from './several'
import { stateAt } from './state'

export type { BlockRule, LimitRow } from './several'
export type { LimitsCall, LimitsVerdict, Verdict }

/**
 * Which hits a host has counted, in fixed windows: `every` one, also over the limit, because it may take each of them back or wants to be told how many there were; with
 * `extending` those over the limit begin the window anew, with `doubling` for twice as long each time.
 */
export type Counts = 'every' | 'extending' | 'doubling'

interface Adjustment extends StoredKey {
  readonly limit: Limit
  readonly by: number
}

/** Told of each of its steps. */
type SteppedWork = (onStep: () => void) => Promise<void>

/** More hits than anybody sends. */
const countWithoutEnd = 1_000_000_000

/** Beyond it, a window of a second is longer than 30,000 years. */
const maxDoublings = 40

/** Some 20 ms a statement. */
const forgottenPerStep = 5_000

/** The verbs on counters, each with its statement; all but the clears coalesce. A namespace is a limiter with its algorithm and window. */
export class CounterTable {
  readonly #database: StatementRunner
  readonly #coalescer: Coalescer
  readonly #consumptions: Readonly<Record<Counting, Lane<Consumption, Verdict>>>
  readonly #limits: Lane<LimitsCall, LimitsVerdict>
  readonly #adjustments: Lane<Adjustment, CounterState>
  readonly #reads: Lane<null, Found<Row>>
  readonly #deletes: Lane<null, void>
  readonly #clear: Statement

  constructor(database: StatementRunner, coalescer: Coalescer, schema: string) {
    const consume = (counting: Counting) => coalescer.lane(consumeRules(database, schema, counting))
    this.#database = database
    this.#coalescer = coalescer
    this.#consumptions = {
      'fixed-window': consume('fixed-window'),
      'sliding-window': consume('sliding-window'),
      gcra: consume('gcra'),
      'extended-window': consume('extended-window'),
    }
    this.#limits = coalescer.lane(limitsRules(database, schema))
    this.#adjustments = coalescer.lane(adjustRules(database, schema))
    this.#reads = coalescer.lane(readRules(database, schema))
    this.#deletes = coalescer.lane(deleteRules(database, schema))
    this.#clear = statementOf(clearCounters, schema)
  }

  /** Counts a hit of that cost if it fits. */
  consume(address: Address, stored: StoredKey, limit: Limit, cost: number, options?: CallOptions): Promise<Verdict> {
    const { key, longKey } = stored
    const item = { key, payload: { key, longKey, cost, most: limit.limit, windowMs: limit.windowMs } }
    return this.#coalescer.one(this.#consumptions[limit.algorithm], address, item, same, options)
  }

  /** Counts a hit in a fixed window, whatever the limit says. */
  count(address: Address, stored: StoredKey, limit: Limit, counts: Counts, options?: CallOptions): Promise<Verdict> {
    const { key, longKey } = stored
    const counting = counts === 'every' ? 'fixed-window' : 'extended-window'
    const most = counts === 'every' ? countWithoutEnd : limit.limit
    const doublings = counts === 'doubling' ? maxDoublings : 0
    const payload = { key, longKey, cost: 1, most, windowMs: limit.windowMs, doublings }
    return this.#coalescer.one(this.#consumptions[counting], address, { key, payload }, same, options)
  }

  /** The same for several limits at once, and those that block: counted in all of them, or in none. */
  consumeAll(address: Address, call: LimitsCall, options?: CallOptions): Promise<LimitsVerdict> {
    const key = call.rows.map((row) => `${row.namespace}\0${row.key}`).join('\0')
    return this.#coalescer.one(this.#limits, address, { key, payload: call }, same, options)
  }

  /** Adds hits whatever the limit says, or (below 0) takes some back, never below none. */
  adjust(address: Address, key: StoredKey, limit: Limit, by: number, options?: CallOptions): Promise<CounterState> {
    const item = { key: key.key, payload: { ...key, limit, by } }
    return this.#coalescer.one(this.#adjustments, address, item, same, options)
  }

  /** undefined: nothing was counted. */
  read(address: Address, key: string, options?: CallOptions): Promise<CounterState | undefined> {
    const state = (row: Found<Row>) => row && stateAt(row, 1)
    return this.#coalescer.one(this.#reads, address, { key, payload: null }, state, options)
  }

  delete(address: Address, key: string, options?: CallOptions): Promise<void> {
    return this.#coalescer.one(this.#deletes, address, { key, payload: null }, same, options)
  }

  /** Forgets all of a namespace whose keys begin so. */
  async clearPrefix(tenant: string, namespace: string, prefix: string, options?: CallOptions): Promise<void> {
    const work: SteppedWork = (onStep) => this.#forget(tenant, namespace, prefix, onStep)
    await this.#coalescer.aloneIn('limit.clear', addressOf(tenant, namespace, 'counter'), work, options)
  }

  /** Forgets everybody in some namespaces of a tenant: those of one limiter. */
  async clear(tenant: string, limiter: string, namespaces: readonly string[], options?: CallOptions): Promise<void> {
    const forgetAll: SteppedWork = async (onStep) => {
      for (const namespace of namespaces) await this.#forget(tenant, namespace, '', onStep)
    }
    const inCounters = (work: SteppedWork, namespace: string) =>
      this.#alone(undefined, addressOf(tenant, namespace, 'counter'), work, options)
    // The limiter first, then its counters, as whoever asks about several of them: the other way round the two would wait for each other.
    const inLimiter = namespaces.reduce(inCounters, forgetAll)
    await this.#alone('limit.clear', addressOf(tenant, limiter, 'limits'), inLimiter, options)(() => {})
  }

  /** Runs `work` after all that was asked there before, and before all that is asked after. */
  aloneIn<T>(address: Address, work: () => Promise<T>): Promise<T> {
    return this.#coalescer.aloneIn(undefined, address, work)
  }

  /** The work, alone at one more address; with each of its steps the time limits of all who wait for it begin anew. */
  #alone(
    operation: string | undefined,
    address: Address,
    work: SteppedWork,
    options: CallOptions | undefined,
  ): SteppedWork {
    return (onOuterStep) => {
      const both = (onStep: () => void) => () => {
        onStep()
        onOuterStep()
      }
      return this.#coalescer.aloneIn(operation, address, (onStep) => work(both(onStep)), options)
    }
  }

  /** Step by step, each counter at one moment. With a prefix that few keys have, a step may read the whole namespace. */
  async #forget(tenant: string, namespace: string, prefix: string, onStep: () => void): Promise<void> {
    let from: string | null = ''
    while (from !== null) {
      const values = [tenant, namespace, prefix, from, forgottenPerStep]
      const [row]: readonly Row[] = await this.#database.write(this.#clear, values)
      from = row?.[0] as string | null
      onStep()
    }
  }
}

/** Those of one sign share: the floor of none lies between the others. */
function adjustRules(database: StatementRunner, schema: string): LaneRules<Adjustment, CounterState, CounterState> {
  const statement = statementOf(adjustCounters, schema)
  const sumOf = ({ sharers }: Asked<Adjustment, CounterState>) =>
    sharers.reduce((sum, { payload }) => sum + payload.by, 0)
  return {
    operation: 'limit.adjust',
    isRead: false,
    isShared: true,
    mayJoin: ({ first }, { by, limit }) => first.payload.by < 0 === by < 0 && first.payload.limit.limit === limit.limit,
    run: async (requests) => {
      const adjustments = requests.map(({ first }) => first.payload)
      const rows = await database.write(statement, [
        ...addressColumns(requests),
        adjustments.map(({ longKey }) => longKey),
        adjustments.map(({ limit }) => algorithmLetters[limit.algorithm]),
        adjustments.map(({ limit }) => limit.limit),
        adjustments.map(({ limit }) => limit.windowMs),
        requests.map(sumOf),
      ])
      return byPosition(rows, requests.length).map((row) => stateAt(row as Row, 1) as CounterState)
    },
    answer: same,
  }
}

function readRules(database: StatementRunner, schema: string): LaneRules<null, Found<Row>, Found<Row>> {
  const statement = statementOf(readCounters, schema)
  return {
    operation: 'limit.peek',
    isRead: true,
    isShared: true,
    run: async (requests) => byPosition(await database.read(statement, addressColumns(requests)), requests.length),
    answer: same,
  }
}

function deleteRules(database: StatementRunner, schema: string): LaneRules<null, void, undefined> {
  const statement = statementOf(deleteCounters, schema)
  return {
    operation: 'limit.reset',
    isRead: false,
    isShared: true,
    run: async (requests) => {
      await database.write(statement, addressColumns(requests))
      return requests.map(() => undefined)
    },
    answer: () => {},
  }
}

const same = <T>(answer: T): T => answer
