import type { Line } from './comparison'

/** What a row of the comparison is to reach, as a ratio of rates in one run. */
export interface Target {
  readonly work: string
  readonly callers: number
  readonly storage: Line['storage']
  readonly against: string
  readonly ratio: number
}

const target = (work: string, callers: number, storage: Line['storage'], against: string, ratio: number): Target => ({
  work,
  callers,
  storage,
  against,
  ratio,
})

const keyvPostgres = '@keyv/postgres'
const keyvRedis = '@keyv/redis'

export const targets: readonly Target[] = [
  target('get', 1, 'unlogged', keyvPostgres, 1.15),
  target('get', 1, 'unlogged', keyvRedis, 0.8),
  target('get', 64, 'unlogged', keyvPostgres, 5),
  target('get', 64, 'unlogged', keyvRedis, 1),
  target('get', 256, 'unlogged', keyvPostgres, 8),
  target('get', 256, 'unlogged', keyvRedis, 1.2),
  target('set', 1, 'unlogged', keyvPostgres, 1.1),
  target('set', 1, 'unlogged', keyvRedis, 0.7),
  target('set', 64, 'unlogged', keyvPostgres, 5),
  target('set', 64, 'unlogged', keyvRedis, 0.7),
  target('set', 64, 'logged', keyvPostgres, 6),
  target('getMany 100', 1, 'unlogged', keyvPostgres, 1.3),
  target('getMany 100', 1, 'unlogged', keyvRedis, 0.7),
  target('setMany 100', 1, 'unlogged', keyvPostgres, 1.1),
  target('setMany 100', 1, 'unlogged', keyvRedis, 0.6),
  // At most 1.25 times the cost of one tenant.
  target('get', 64, 'unlogged', 'pgstash, 50 tenants', 0),
]

/** Ours over theirs; undefined where somebody was not there. */
export function ratioOf(line: Line, against: string): number | undefined {
  const [own, other] = [line.figures.pgstash, line.figures[against]]
  return own === undefined || other === undefined ? undefined : own.rate / other.rate
}

/** The targets with what was reached, in the bytes of the usual rows. */
export function judge(lines: readonly Line[], bytes: number): string[] {
  return targets.flatMap(({ work, callers, storage, against, ratio }) => {
    const line = lines.find(
      (one) => one.work === work && one.callers === callers && one.storage === storage && one.bytes === bytes,
    )
    const reached = line && ratioOf(line, against)
    if (reached === undefined) return []
    const name = `${work}, ${callers} caller${callers === 1 ? '' : 's'}, ${storage}, against ${against}`
    if (ratio === 0)
      return [
        `${name}: one tenant ${reached.toFixed(2)} times as fast (at most 1.25): ${reached <= 1.25 ? 'met' : 'NOT met'}`,
      ]
    return [`${name}: ${reached.toFixed(2)} (at least ${ratio}): ${reached >= ratio ? 'met' : 'NOT met'}`]
  })
}
