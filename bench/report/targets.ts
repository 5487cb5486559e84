import type { Verdict } from '../measuring/verdict'
import type { Line } from '../workloads/comparison'

/** What can be compared: rates, or what an operation costs. */
type Measure = 'rate' | 'nodeUs' | 'serverUs'

/** What a row of the comparison is to reach, as a ratio of medians in one run. */
interface Target {
  readonly work: string
  readonly callers: number
  readonly storage: Line['storage']
  /** Whose figure it is. */
  readonly own: string
  /** undefined: it is of millions a second, not of a ratio. */
  readonly against: string | undefined
  readonly measure: Measure
  readonly is: Verdict['is']
  readonly bound: number
}

const target = (
  work: string,
  callers: number,
  storage: Line['storage'],
  against: string | undefined,
  bound: number,
  is: Verdict['is'] = 'at least',
): Target => ({ work, callers, storage, own: usual, against, measure: 'rate', bound, is })

/** What a call costs, of the time of a core. */
const cost = (
  measure: Measure,
  work: string,
  callers: number,
  storage: Line['storage'],
  against: string,
  bound: number,
): Target => ({ ...target(work, callers, storage, against, bound, 'at most'), measure })

/** Of the app, which has one row. */
const ofApp = (measure: Measure, against: string, bound: number): Target => ({
  ...target('app', 32, 'logged', against, bound, measure === 'rate' ? 'at least' : 'at most'),
  measure,
})

/** Of a tier in memory, over an unlogged table. */
const ofNear = (work: string, callers: number, own: string, against: string | undefined, bound: number): Target => ({
  ...target(work, callers, 'unlogged', against, bound),
  own,
})

/** Whose ratios are told where a row has no target of its own. */
const usual = 'pgstash'
/** With a tier in memory, each hit a value of the caller's own. */
const near = 'pgstash, near, copy'
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
  target('getMany 100', 1, 'unlogged', keyvPostgres, 1.8),
  target('getMany 100', 1, 'unlogged', keyvRedis, 0.7),
  target('setMany 100', 1, 'unlogged', keyvPostgres, 1.3),
  target('setMany 100', 1, 'unlogged', keyvRedis, 0.6),
  target('get', 64, 'unlogged', 'pgstash, 50 tenants', 1.25, 'at most'),
  // At least 0.7 of the throughput, that is.
  target('get', 64, 'unlogged', 'pgstash, rls', 1 / 0.7, 'at most'),
  target('set', 64, 'unlogged', 'pgstash, rls', 1 / 0.7, 'at most'),
  target('get', 1, 'unlogged', 'raw pg', 0.97),
  cost('nodeUs', 'get', 64, 'unlogged', keyvRedis, 1.05),
  cost('nodeUs', 'set', 64, 'unlogged', keyvRedis, 1.15),
  target('get', 64, 'unlogged', earlier, 1.25),
  target('set', 64, 'unlogged', earlier, 1.3),
  cost('serverUs', 'get', 64, 'unlogged', earlier, 0.7),
  cost('serverUs', 'set', 64, 'unlogged', earlier, 0.75),
  cost('nodeUs', 'getMany 100', 1, 'unlogged', earlier, 0.5),
  cost('nodeUs', 'setMany 100', 1, 'unlogged', earlier, 0.5),
  ofApp('nodeUs', redisStores, 1.15),
  ofApp('serverUs', earlier, 0.6),
  ofApp('rate', redisStores, 0.9),
  ofApp('rate', 'PostgreSQL stores', 3),
  ofNear('near get', 1, 'pgstash, near, Keyv', keyvRedis, 20),
  ofNear('near get', 64, 'pgstash, near, Keyv', keyvRedis, 4),
  ofNear('near get', 1, 'pgstash, near, frozen', undefined, 3),
  ofNear('near get', 1, near, undefined, 0.6),
  ofNear('near set', 64, near, 'pgstash, native', 0.8),
  ofNear('near get past it', 64, near, 'pgstash, native', 0.98),
]

const told: Readonly<Record<Measure, string>> = {
  rate: '',
  nodeUs: ', Node CPU',
  serverUs: ', server CPU',
}

/** Ours over theirs; undefined where somebody was not there. */
export function ratioOf(line: Line, against: string, own = ownOf(line), measure: Measure = 'rate'): number | undefined {
  const { figures } = line
  const [ours, theirs] = [figures[own], figures[against]]
  return ours === undefined || theirs === undefined ? undefined : ours[measure] / theirs[measure]
}

/** Whom all others of a row are told relative to. */
export function ownOf({ own = usual }: Line): string {
  return own
}

/** The targets with what was reached, in the bytes of the usual rows. */
export function judge(lines: readonly Line[], bytes: number): Verdict[] {
  return targets.flatMap((target) => {
    const { work, callers, storage, bound, is } = target
    const line = lines.find(
      (one) => one.work === work && one.callers === callers && one.storage === storage && one.bytes === bytes,
    )
    const reached = line && reachedIn(line, target)
    return reached === undefined ? [] : [{ what: whatOf(target), reached, bound, is }]
  })
}

function reachedIn(line: Line, { own, against, measure }: Target): number | undefined {
  if (against !== undefined) return ratioOf(line, against, own, measure)
  const rate = line.figures[own]?.rate
  return rate === undefined ? undefined : rate / 1e6
}

function whatOf({ work, callers, storage, own, against, measure }: Target): string {
  const what = `${work}, ${callers} caller${callers === 1 ? '' : 's'}, ${storage}`
  const whose = own === usual ? '' : `, ${own}`
  return `${what}${whose}${told[measure]}${against === undefined ? ', millions a second' : `, over ${against}`}`
}
