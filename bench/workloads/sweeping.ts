import type { PgStash, SweepProgress } from 'pgstash'
import { load, withOwnStash } from '../contestants/own-stash'
import { type Figure, figureOf, measure } from '../measuring/measure'
import type { Settings } from '../measuring/settings'
import type { Verdict } from '../measuring/verdict'

const callers = 16

interface TimedSweep {
  readonly expired: number
  readonly seconds: number
  readonly longestStepMs: number
}

/** Expired entries among as many live ones: how fast they go, how long a statement takes, and what callers notice. */
export async function sweeping(settings: Settings): Promise<Verdict[]> {
  const count = settings.isQuick ? 100_000 : 1_000_000
  return withOwnStash(settings, 'sweeping', false, async ({ stash, client, schema }) => {
    const live = stash.namespace('live')
    await loadAlternately(stash, count)
    await client.query(`vacuum analyze ${schema}.entry`)
    const get = () => live.get(`key:${Math.floor(Math.random() * count)}`)
    await measure(get, callers, settings.turnMs)
    const before = await measure(get, callers, settings.turnMs * 3)
    let isSwept = false
    const sweep = timedSweep(stash).finally(() => {
      isSwept = true
    })
    const during = await measureUntil(get, () => isSwept)
    const { expired, seconds, longestStepMs } = await sweep
    const of = `${expired} expired entries among ${count} live ones`
    return [
      {
        what: `rows a second, sweeping ${of}, beside ${callers} callers`,
        reached: expired / seconds,
        bound: 50_000,
        is: 'at least',
      },
      { what: `longest step of that sweep, ms`, reached: longestStepMs, bound: 100, is: 'at most' },
      {
        what: `p99 of get, ${callers} callers, during that sweep, over idle`,
        reached: during.p99Ms / before.p99Ms,
        bound: 2,
        is: 'at most',
      },
    ]
  })
}

/** So that dead and live rows share their pages. */
async function loadAlternately(stash: PgStash, count: number): Promise<void> {
  const [live, dead] = [stash.namespace('live'), stash.namespace('dead')]
  for (let from = 0; from < count; from += 5_000) {
    await load(live, 5_000, 'x'.repeat(100), undefined, 'key', from)
    await load(dead, 5_000, 'x'.repeat(100), 1, 'key', from)
  }
}

async function timedSweep(stash: PgStash): Promise<TimedSweep> {
  const started = performance.now()
  let longestStepMs = 0
  const onProgress = ({ stepMs }: SweepProgress) => {
    longestStepMs = Math.max(longestStepMs, stepMs)
  }
  const { expired } = await stash.sweep({ onProgress })
  return { expired, seconds: (performance.now() - started) / 1_000, longestStepMs }
}

async function measureUntil(operation: () => Promise<unknown>, isOver: () => boolean): Promise<Figure> {
  const latencies: number[] = []
  const caller = async () => {
    while (!isOver()) {
      const from = performance.now()
      await operation()
      latencies.push(performance.now() - from)
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: callers }, caller))
  return figureOf(latencies, performance.now() - started)
}
