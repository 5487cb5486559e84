import type { SqlFile } from '../../../sql/sql-file'
import consumeFixedWindow from '../../../sql/statements/limits/consume-fixed-window.sql'
import consumeGcra from '../../../sql/statements/limits/consume-gcra.sql'
import consumeSlidingWindow from '../../../sql/statements/limits/consume-sliding-window.sql'
import countExtendedWindow from '../../../sql/statements/limits/count-extended-window.sql'
import type { LaneRules } from '../../coalescing/lane-rules'
import type { Asked } from '../../coalescing/request'
import type { StoredKey } from '../../entry/key'
import type { Algorithm, CounterState } from '../../entry/limits/limit'
import { addressColumns, byPosition, type Found } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { stateAt } from './state'

/** One hit on its way. */
export interface Consumption extends StoredKey {
  readonly cost: number
  readonly most: number
  readonly windowMs: number
  /** Of a window that hits over the limit begin anew: how often it may double. */
  readonly doublings?: number | undefined
}

/** How a hit is counted: if it fits, by one of the algorithms; or in any case, in a window that hits over the limit begin anew. */
export type Counting = Algorithm | 'extended-window'

/** What became of it. */
export interface Verdict {
  readonly isGranted: boolean
  /** What the counter holds after the whole batch; undefined: nobody saw it, which happens to a denial that met a row younger than its statement. */
  readonly state: CounterState | undefined
  /** Of the hits in `state`, those of calls that came after this one in its batch. */
  readonly laterHits: number
}

const files: Readonly<Record<Counting, SqlFile>> = {
  'fixed-window': consumeFixedWindow,
  'sliding-window': consumeSlidingWindow,
  gcra: consumeGcra,
  'extended-window': countExtendedWindow,
}

/** How the functions call the algorithms. */
export const algorithmLetters: Readonly<Record<Algorithm, string>> = {
  'fixed-window': 'f',
  'sliding-window': 's',
  gcra: 'g',
}

/** Those of one cost share a row; the first of them are granted, as many as fit. */
export function consumeRules(
  database: StatementRunner,
  schema: string,
  counting: Counting,
): LaneRules<Consumption, Verdict, Found<Row>> {
  const statement = statementOf(files[counting], schema)
  return {
    operation: 'limit.consume',
    isRead: false,
    isShared: true,
    mayJoin: ({ first: { payload } }, { cost, most, doublings }) =>
      payload.cost === cost && payload.most === most && payload.doublings === doublings,
    run: async (requests) =>
      byPosition(await database.write(statement, columnsOf(requests, counting)), requests.length),
    answer: (row, { first }, position) => verdictAt(position, row as Row, first.payload.cost),
  }
}

/** As the statements take them: tenants, namespaces, keys, long keys, costs, hits asked for, limits, windows; and, where windows begin anew, doublings. */
function columnsOf(requests: readonly Asked<Consumption, Verdict>[], counting: Counting): unknown[] {
  const hits = requests.map(({ first }) => first.payload)
  const [tenants, namespaces, keys] = addressColumns(requests) as [string[], string[], string[]]
  const longKeys = hits.map(({ longKey }) => longKey)
  return [
    oneForAll(tenants),
    oneForAll(namespaces),
    keys,
    longKeys.every((longKey) => longKey === null) ? null : longKeys,
    oneForAll(hits.map(({ cost }) => cost)),
    oneForAll(requests.map(({ sharers }) => sharers.length)),
    oneForAll(hits.map(({ most }) => most)),
    oneForAll(hits.map(({ windowMs }) => windowMs)),
    ...(counting === 'extended-window' ? [oneForAll(hits.map(({ doublings }) => doublings))] : []),
  ]
}

/** Of the sharer at `position`. */
function verdictAt(position: number, row: Row, cost: number): Verdict {
  const granted = row[1] as number
  const isGranted = position < granted
  return { isGranted, state: stateAt(row, 2), laterHits: isGranted ? (granted - 1 - position) * cost : 0 }
}

/** As a rule a batch is of one limiter: what all have in common is written, sent and read once. */
function oneForAll<T>(values: readonly T[]): readonly T[] {
  const [first] = values
  return values.every((value) => value === first) ? [first as T] : values
}
