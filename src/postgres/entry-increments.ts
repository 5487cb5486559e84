import incrementEntries from '../../sql/statements/increment-entries.sql'
import type { StoredKey } from '../entry/key'
import { NotAnIntegerError } from '../errors'
import { addressColumns, byPosition } from './batch-rows'
import type { Database } from './database'
import type { LaneRules } from './lane'
import type { Request } from './request'
import { statementOf } from './statement'

/** An addition. `ttl`, in milliseconds or null for no expiry, counts where it creates the entry. */
export interface Addition extends StoredKey {
  readonly amount: number
  readonly ttl: number | null
}

/** Those who share a row are added up, and each gets the sum that was its own. */
export function incrementRules(
  database: Database,
  schema: string,
): LaneRules<Addition, number, (number | undefined)[]> {
  const statement = statementOf(incrementEntries, schema)
  const run = async (requests: readonly Request<Addition, number>[], amounts: readonly number[]) => {
    const longKeys = requests.map(({ first }) => first.payload.longKey)
    const ttls = requests.map(({ first }) => first.payload.ttl)
    const rows = await database.write(statement, [...addressColumns(requests), longKeys, amounts, ttls])
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
