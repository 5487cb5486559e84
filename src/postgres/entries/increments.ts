import incrementEntries from '../../../sql/statements/entries/writes/increment.sql'
import incrementEntry from '../../../sql/statements/entries/writes/increment-alone.sql'
import incrementEntryTold from '../../../sql/statements/entries/writes/told/increment-alone.sql'
import type { LaneRules } from '../../coalescing/lane-rules'
import type { Asked } from '../../coalescing/request'
import type { StoredKey } from '../../entry/key'
import { NotAnIntegerError } from '../../errors'
import type { Telling } from '../near/telling'
import { addressColumns, byPosition } from '../wire/batch-rows'
import { statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

/** An addition. `ttl`, in milliseconds or null for no expiry, counts where it creates the entry. */
export interface Addition extends StoredKey {
  readonly amount: number
  readonly ttl: number | null
}

/** Those who share a row are added up, and each gets the sum that was its own. */
export function incrementRules(
  database: StatementRunner,
  schema: string,
  telling: Telling,
): LaneRules<Addition, number, number | undefined> {
  const lone = statementOf(incrementEntry, schema)
  const loneTold = statementOf(incrementEntryTold, schema)
  const statement = statementOf(incrementEntries, schema)
  const runAll = async (requests: readonly Asked<Addition, number>[]) => {
    const longKeys = requests.map(({ first }) => first.payload.longKey)
    const ttls = requests.map(({ first }) => first.payload.ttl)
    const amounts = requests.map((request) => totalOf(request))
    const values = [...addressColumns(requests), longKeys, amounts, ttls]
    const rows = await telling.send(requests, (nonce) => database.write(statement, [...values, nonce]))
    return byPosition(rows, requests.length).map((row) => (row === undefined ? undefined : Number(row[1])))
  }
  const runOne = async (request: Asked<Addition, number>) => {
    const { address, key, first } = request
    const { longKey, ttl } = first.payload
    const values = [address.tenant, address.namespace, key, longKey, totalOf(request), ttl]
    const [row] = await telling.sendEither(
      [request],
      // No row also where what is there is no integer: that is then said by the other one.
      () => database.write(lone, values),
      (nonce) => database.write(loneTold, [...values, nonce]),
      ([row]) => row?.[1] && telling.marked.add(address),
    )
    if (row !== undefined) return [Number(row[0])]
    // No integer; or it is tagged: the statement for many looks at its tags.
    return runAll([request])
  }
  return {
    operation: 'increment',
    isRead: false,
    isShared: true,
    mayJoin: (request, { amount }) => isMonotonic(request.first.payload.amount, amount) && isExact(request, amount),
    isRefused: (sum) => sum === undefined,
    run: (requests) => (requests.length === 1 ? runOne(requests[0] as Asked<Addition, number>) : runAll(requests)),
    answer: (sum, request, position) => {
      if (sum === undefined) throw new NotAnIntegerError()
      return sum - totalOf(request, position + 1)
    },
  }
}

/** With one sign for all, the sum fits if and only if each step towards it does. */
function isMonotonic(a: number, b: number): boolean {
  return a < 0 === b < 0
}

function isExact(request: Asked<Addition, number>, amount: number): boolean {
  return Number.isSafeInteger(totalOf(request) + amount)
}

function totalOf(request: Asked<Addition, number>, from = 0): number {
  let total = 0
  for (let at = from; at < request.sharers.length; at += 1) total += request.sharers[at]?.payload.amount ?? 0
  return total
}
