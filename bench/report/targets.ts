import type { Verdict } from '../measuring/verdict'
import type { Line } from '../workloads/comparison'

/** What can be compared: rates, or what an operation costs. */
type Measure = 'rate' | 'nodeUs' | 'serverUs'

/** What a row of the comparison is to reach, as a ratio of medians in one run. */
interface Target {
  readonly work: string
  readonly callers: number
  readonly storage: Line['storage']
  readonly against: string
  readonly measure: Measure
  readonly is: Verdict['is']
  readonly bound: number
}

const target = (
  work: string,
  callers: number,
  storage: Line['storage'],
  against: string,
  bound: number,
  is: Verdict['is'] = 'at least',
): Target => ({ work, callers, storage, against, measure: 'rate', bound, is })

/** Of the app, which has one row. */
const ofApp = (measure: Measure, against: string, bound: number): Target => ({
  ...target('app', 32, 'logged', against, bound, measure === 'rate' ? 'at least' : 'at most'),
  measure,
})

const keyvPostgres = '@keyv/postgres'
const keyvRedis = '@keyv/redis'
const redisStores = 'Redis stores'
/** The build that `--against` names. */
const earlier = 'pgstash, earlier'

const targets: readonly Target[] = [
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
  target('set', 64, 'logged', keyvRedis, 0, null),
  target('getMany 100', 1, 'unlogged', keyvPostgres, 1.3),
  target('getMany 100', 1, 'unlogged', keyvRedis, 0.7),
  target('setMany 100', 1, 'unlogged', keyvPostgres, 1.1),
  target('setMany 100', 1, 'unlogged', keyvRedis, 0.6),
  target('get', 64, 'unlogged', 'pgstash, 50 tenants', 1.25, 'at most'),
  // At least 0.7 of the throughput, that is.
  target('get', 64, 'unlogged', 'pgstash, rls', 1 / 0.7, 'at most'),
  target('set', 64, 'unlogged', 'pgstash, rls', 1 / 0.7, 'at most'),
  ofApp('nodeUs', redisStores, 1.15),
  ofApp('serverUs', earlier, 0.6),
  ofApp('rate', redisStores, 0.9),
  ofApp('rate', 'PostgreSQL stores', 3),
]

const told: Readonly<Record<Measure, string>> = {
  rate: '',
  nodeUs: ', Node CPU',
  serverUs: ', server CPU',
}

/** Ours over theirs; undefined where somebody was not there. */
export function ratioOf(line: Line, against: string, measure: Measure = 'rate'): number | undefined {
  const [own, other] = [line.figures.pgstash, line.figures[against]]
  return own === undefined || other === undefined ? undefined : own[measure] / other[measure]
}

/** The targets with what was reached, in the bytes of the usual rows. */
export function judge(lines: readonly Line[], bytes: number): Verdict[] {
  return targets.flatMap(({ work, callers, storage, against, measure, bound, is }) => {
    const line = lines.find(
      (one) => one.work === work && one.callers === callers && one.storage === storage && one.bytes === bytes,
    )
    const reached = line && ratioOf(line, against, measure)
    if (reached === undefined) return []
    return [
      {
        what: `${work}, ${callers} caller${callers === 1 ? '' : 's'}, ${storage}${told[measure]}, over ${against}`,
        reached,
        bound,
        is,
      },
    ]
  })
}
