import { type Figure, figureOf, measure } from './measure'
import { load, withOwnStash } from './own-stash'
import type { Settings } from './settings'
import type { Verdict } from './verdict'

/** How long gets of 64 callers take while a sweep removes expired entries beside them. */
export async function sweeping(settings: Settings): Promise<Verdict[]> {
  const expired = settings.isQuick ? 50_000 : 500_000
  return withOwnStash(settings, 'sweeping', true, async ({ stash, client, schema }) => {
    const live = stash.namespace('live')
    await load(live, 20_000, 'x'.repeat(300))
    await load(stash.namespace('dead'), expired, 'x'.repeat(100), 1)
    await client.query(`vacuum analyze ${schema}.entry`)
    const get = () => live.get(`key:${Math.floor(Math.random() * 20_000)}`)
    await measure(get, 64, settings.turnMs)
    const before = await measure(get, 64, settings.turnMs * 3)
    let isSwept = false
    const started = performance.now()
    const sweep = stash.sweep().then((swept) => {
      isSwept = true
      return { ...swept, seconds: (performance.now() - started) / 1_000 }
    })
    const during = await measureUntil(get, () => isSwept)
    const swept = await sweep
    const what = `p99 of get, 64 callers, while ${swept.expired} entries are swept in ${swept.seconds.toFixed(1)} s, over idle`
    return [{ what, reached: during.p99Ms / before.p99Ms, bound: 2, is: 'at most' }]
  })
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
  await Promise.all(Array.from({ length: 64 }, caller))
  return figureOf(latencies, performance.now() - started)
}
