import consumeLimits from '../../../sql/statements/limits/consume-several.sql'
import type { LaneRules } from '../../coalescing/lane-rules'
import type { Asked } from '../../coalescing/request'
import type { StoredKey } from '../../entry/key'
import type { CounterState, Limit } from '../../entry/limits/limit'
import type { Row } from '../wire/driver'
import { statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { algorithmLetters } from './consumptions'
import { stateAt } from './state'

/** What a denial starts: a block, twice as long each time. */
export interface BlockRule {
  readonly blockMs: number
  readonly maxBlockMs: number
  /** Without a block for so long, the next one is as short as the first. */
  readonly forgetMs: number
  /** Whether denials during a block are further blocks. */
  readonly isExtended: boolean
}

/** One of the counters of a call. */
export interface LimitRow extends StoredKey {
  readonly namespace: string
  readonly limit: Limit
  readonly block: BlockRule | undefined
}

/** A hit on several counters at once. */
export interface LimitsCall {
  readonly rows: readonly LimitRow[]
  readonly cost: number
}

export interface LimitsVerdict {
  readonly isGranted: boolean
  /** Of each row, after the whole batch. */
  readonly states: readonly CounterState[]
}

type LimitsRequest = Asked<LimitsCall, LimitsVerdict>

interface Granted {
  readonly granted: number
  readonly states: readonly CounterState[]
}

/** Those of one cost share; the first of them are granted, as many as fit. */
export function limitsRules(database: StatementRunner, schema: string): LaneRules<LimitsCall, LimitsVerdict, Granted> {
  const statement = statementOf(consumeLimits, schema)
  return {
    operation: 'limit.consume',
    isRead: false,
    isShared: true,
    mayJoin: ({ first }, call) => first.payload.cost === call.cost && hasSameLimits(first.payload, call),
    run: async (requests) => {
      const counters = new Counters(requests)
      return counters.answersOf(await database.write(statement, counters.values()))
    },
    answer: ({ granted, states }, _request, position) => ({ isGranted: position < granted, states }),
  }
}

function hasSameLimits(a: LimitsCall, b: LimitsCall): boolean {
  return a.rows.every(({ limit }, at) => limit.limit === b.rows[at]?.limit.limit)
}

interface Counter extends LimitRow {
  readonly id: string
  readonly tenant: string
}

/** The counters of a batch: each once, in an order that all processes share, so that none waits for another in a circle. */
class Counters {
  readonly #requests: readonly LimitsRequest[]
  readonly #counters: readonly Counter[]
  /** By id, from 1. */
  readonly #places: ReadonlyMap<string, number>

  constructor(requests: readonly LimitsRequest[]) {
    const byId = new Map<string, Counter>()
    for (const { address, first } of requests) {
      for (const row of first.payload.rows) {
        const id = `${address.tenant}\0${row.namespace}\0${row.key}`
        byId.set(id, { ...row, id, tenant: address.tenant })
      }
    }
    this.#requests = requests
    this.#counters = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    this.#places = new Map(this.#counters.map(({ id }, at) => [id, at + 1]))
  }

  /** As consume_limits() takes them. */
  values(): unknown[] {
    const column = <T>(value: (counter: Counter) => T) => this.#counters.map(value)
    const places = this.#requests.map((request) => this.#placesOf(request))
    const ends: number[] = []
    for (const { length } of places) ends.push((ends[ends.length - 1] ?? 0) + length)
    return [
      column(({ tenant }) => tenant),
      column(({ namespace }) => namespace),
      column(({ key }) => key),
      column(({ longKey }) => longKey),
      column(({ limit }) => algorithmLetters[limit.algorithm]),
      column(({ limit }) => limit.limit),
      column(({ limit }) => limit.windowMs),
      column(({ block }) => block?.blockMs ?? null),
      column(({ block }) => block?.maxBlockMs ?? null),
      column(({ block }) => block?.forgetMs ?? 0),
      column(({ block }) => block?.isExtended ?? false),
      places.flat(),
      ends.map((end, at) => end - (places[at]?.length ?? 0) + 1),
      ends,
      this.#requests.map(({ first }) => first.payload.cost),
      this.#requests.map(({ sharers }) => sharers.length),
    ]
  }

  /** From its rows: those of calls, then those of counters. */
  answersOf(rows: readonly Row[]): Granted[] {
    const states = rows.filter(([isCounter]) => isCounter).map((row) => stateAt(row, 3))
    const granted = rows.filter(([isCounter]) => !isCounter).map((row) => row[2] as number)
    return this.#requests.map((request, at) => ({
      granted: granted[at] as number,
      states: this.#placesOf(request).map((place) => states[place - 1] as CounterState),
    }))
  }

  #placesOf({ address, first }: LimitsRequest): number[] {
    return first.payload.rows.map(
      ({ namespace, key }) => this.#places.get(`${address.tenant}\0${namespace}\0${key}`) as number,
    )
  }
}
