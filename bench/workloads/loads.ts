import { setImmediate, setTimeout } from 'node:timers/promises'
import { PgStash } from 'pgstash'
import { load, withOwnStash } from '../contestants/own-stash'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import type { Verdict } from '../measuring/verdict'

const keys = 1_000
/** So many hits of memory are one operation: a clock that is read for each would be a third of it. */
const hitsEach = 500

/** What `getOrSet` costs where there is nothing to load: over `get`, at the server and in memory. */
export async function loadHits(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'loads', true, async ({ stash, schema }) => {
    const value = 'x'.repeat(300)
    const plain = stash.namespace('plain')
    await load(plain, keys, value)
    const key = () => `key:${Math.floor(Math.random() * keys)}`
    const loader = () => {
      throw new Error('it is there')
    }
    const passing = { get: () => plain.get(key()), getOrSet: () => plain.getOrSet(key(), loader) }
    const figureOf = await takeTurns(passing, 1, settings)
    const near = new PgStash({
      connectionString: settings.databaseUrl,
      schema,
      unlogged: true,
      sweeper: false,
      near: {},
    })
    const held = near.namespace('held', { near: { values: 'frozen' } })
    await load(held, keys, value)
    for (let tries = 0; near.near.stats().entries < keys && tries < 100; tries += 1) {
      for (let at = 0; at < keys; at += 1) await held.get(`key:${at}`)
      await setTimeout(50)
    }
    const names = Array.from({ length: keys }, (_, at) => `key:${at}`)
    const many = (one: (name: string) => Promise<unknown>) => async () => {
      for (let at = 0; at < hitsEach; at += 1) await one(names[at] as string)
      await setImmediate()
    }
    const hits = { get: many((name) => held.get(name)), getOrSet: many((name) => held.getOrSet(name, loader)) }
    const hitOf = await takeTurns(hits, 1, settings, hitsEach)
    await near.close()
    return [
      {
        what: 'getOrSet that hits, server CPU over get',
        reached: figureOf('getOrSet').serverUs / figureOf('get').serverUs,
        bound: 1.1,
        is: 'at most',
      },
      {
        what: 'getOrSet that hits, p50 over get',
        reached: figureOf('getOrSet').p50Ms / figureOf('get').p50Ms,
        bound: 0,
        is: null,
      },
      { what: 'get near, M/s', reached: hitOf('get').rate / 1e6, bound: 0, is: null },
      { what: 'getOrSet near, M/s', reached: hitOf('getOrSet').rate / 1e6, bound: 2, is: 'at least' },
    ]
  })
}
