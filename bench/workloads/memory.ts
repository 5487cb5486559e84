import { withOwnStash } from '../contestants/own-stash'
import { heapBytes } from '../measuring/heap'
import type { Settings } from '../measuring/settings'
import type { Verdict } from '../measuring/verdict'

/** The heap after many operations against the heap after a tenth of them, each after a collection. */
export async function memory(settings: Settings): Promise<Verdict[]> {
  const operations = settings.isQuick ? 200_000 : 5_000_000
  return withOwnStash(settings, 'memory', true, async ({ stash }) => {
    const cache = stash.namespace('memory')
    await run(cache, operations / 10)
    const early = heapBytes()
    await run(cache, (operations * 9) / 10)
    const late = heapBytes()
    const what = `heap after ${operations} operations (${(late / 2 ** 20).toFixed(1)} MiB), over the heap after a tenth of them`
    return [{ what, reached: late / early, bound: 1.1, is: 'at most' }]
  })
}

type Cache = ReturnType<import('pgstash').PgStash['namespace']>

/** Nine gets to a set, by 256 callers, over 50,000 keys. */
async function run(cache: Cache, operations: number): Promise<void> {
  let left = operations
  const caller = async () => {
    while (left > 0) {
      left -= 1
      const key = `key:${Math.floor(Math.random() * 50_000)}`
      if (Math.random() < 0.1) await cache.set(key, 'x'.repeat(100), { ttl: 60_000 })
      else await cache.get(key)
    }
  }
  await Promise.all(Array.from({ length: 256 }, caller))
}
