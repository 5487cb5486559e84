import { setImmediate, setTimeout } from 'node:timers/promises'
import { keyvRedis } from '../../contestants/caches'
import { bentocache, cacheable, type NearCache } from '../../contestants/memory-tiers'
import { ownCaches, passing, withNearStashes } from '../../contestants/near-stashes'
import type { Settings } from '../../measuring/settings'
import { countWrites, writesSoFar } from '../../measuring/socket-writes'
import { takeTurns } from '../../measuring/turns'
import type { Line } from '../comparison'
import { Keys } from '../of-comparison'

/** No more than every tier holds. They are made beforehand: to make one is a tenth of a hit. */
const keys = [...new Keys(5_000).all()]
let last = 0
/** Neither in order nor at random: that is a tenth of a hit as well. */
const next = () => {
  last = (last + 97) % keys.length
  return keys[last] as string
}

/**
 * So many hits are one operation: a clock that is read for each of them would be a third of it. After them the loop has a turn, as it has in a process that does anything
 * else; a tier that has to look after itself could not otherwise.
 */
const hitsEach = 500

const warmingMs = 10_000

/** About 300 bytes as JSON. */
const value = {
  id: 4_711,
  name: 'Ada Lovelace',
  roles: ['member', 'editor'],
  settings: { theme: 'dark', language: 'en', perPage: 25 },
  about: 'x'.repeat(180),
}

/** Hits in a tier in memory, what reads cost that it does not answer, and writes that have to be told to other processes. */
export async function near(settings: Settings, onLine: (line: Line) => void): Promise<Line[]> {
  countWrites()
  const lines: Line[] = []
  const tell = (line: Line) => {
    lines.push(line)
    onLine(line)
  }
  await withNearStashes(settings, async (stashes) => {
    const caches = [...ownCaches(stashes), ...(await others(settings))]
    for (const cache of caches) {
      await fill(cache)
      if (cache.isNear) await warmUp(cache)
    }
    for (const callers of [1, 64]) tell(await hits(settings, caches, callers))
    tell(await sets(settings, caches))
    for (const cache of caches) await cache.close()
    const past = passing(stashes)
    for (const cache of past) await fill(cache)
    tell(await reads(settings, past))
  })
  return lines
}

/** None where no Redis answers. */
async function others(settings: Settings): Promise<NearCache[]> {
  const { redisUrl } = settings
  const redis = await keyvRedis({ ...settings, isUnlogged: true })
  if (redis === undefined) return []
  return [redis, await cacheable(redisUrl), await bentocache(redisUrl, false), await bentocache(redisUrl, true)]
}

async function fill(cache: NearCache): Promise<void> {
  const left = [...keys]
  while (left.length > 0) await Promise.all(left.splice(0, 500).map((key) => cache.set(key, value)))
  const found = (await cache.get(next())) as typeof value | undefined
  if (found?.id !== value.id) throw new Error(`${cache.name} answered ${JSON.stringify(found)}`)
}

/** A tier may have to wait for those who write without telling it, before it holds anything. */
async function warmUp(cache: NearCache): Promise<void> {
  for (const until = performance.now() + warmingMs; performance.now() < until; await setTimeout(100)) {
    const before = writesSoFar()
    for (const key of keys) await cache.get(key)
    if (writesSoFar() - before < keys.length / 100) return
  }
  throw new Error(`${cache.name} still asks its server`)
}

async function hits(settings: Settings, caches: readonly NearCache[], callers: number): Promise<Line> {
  const operations = operationsOn(caches, (cache) => async () => {
    for (let hit = 0; hit < hitsEach; hit += 1) await cache.get(next())
    await setImmediate()
  })
  return lineOf('near get', callers, caches, await takeTurns(operations, callers, settings, hitsEach))
}

async function sets(settings: Settings, caches: readonly NearCache[]): Promise<Line> {
  const operations = operationsOn(caches, (cache) => () => cache.set(next(), value))
  return lineOf('near set', 64, caches, await takeTurns(operations, 64, settings))
}

async function reads(settings: Settings, caches: readonly NearCache[]): Promise<Line> {
  const operations = operationsOn(caches, (cache) => () => cache.get(next()))
  return lineOf('near get past it', 64, caches, await takeTurns(operations, 64, settings))
}

function operationsOn(
  caches: readonly NearCache[],
  operation: (cache: NearCache) => () => Promise<unknown>,
): Record<string, () => Promise<unknown>> {
  return Object.fromEntries(caches.map((cache) => [cache.name, operation(cache)]))
}

function lineOf(
  work: string,
  callers: number,
  caches: readonly NearCache[],
  figureOf: Awaited<ReturnType<typeof takeTurns>>,
): Line {
  const figures = Object.fromEntries(caches.map(({ name }) => [name, figureOf(name)]))
  return { work, bytes: 300, callers, storage: 'unlogged', own: 'pgstash, near, copy', figures }
}
