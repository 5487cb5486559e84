import { expect, it } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import type { PgStash } from '../../../src/stash/pg-stash'
import { describeBodies } from '../../support/bodies'

async function hitsOf(stash: PgStash, cache: Cache, key: string): Promise<[hits: number, value: unknown]> {
  const { hits } = stash.near.stats()
  const value = await cache.get(key)
  return [stash.near.stats().hits - hits, value]
}

describeBodies('what is held near, and tagged', (body) => {
  let namespaces = 0

  /** Two stashes that hold the same, and one that holds nothing. */
  const three = async () => {
    const a = body.open({ sweeper: false })
    await a.ready()
    const [b, plain] = [
      body.open({ schema: a.schema, sweeper: false }),
      body.open({ schema: a.schema, sweeper: false }),
    ]
    const name = `n${namespaces++}`
    const caches = [a, b].map((stash) => stash.namespace(name, { near: true })) as [Cache, Cache]
    await caches[0].set('tagged', 1, { tags: ['a', 'b'] })
    await caches[0].set('wide', 2, { tags: ['a'], tagScope: 'tenant' })
    await caches[0].set('plain', 3)
    for (const [at, stash] of [a, b].entries())
      for (const key of ['tagged', 'wide', 'plain'])
        await expect
          .poll(async () => (await hitsOf(stash, caches[at] as Cache, key))[0], { timeout: 10_000, interval: 5 })
          .toBe(1)
    return { a, b, plain, caches, name }
  }

  it.each(['near', 'not near', 'sql'])(
    'goes everywhere with its tag, and nothing else does: deleted %s',
    async (how) => {
      const { a, b, plain, caches, name } = await three()
      const [own, other] = caches
      if (how === 'near') await own.deleteByTag('a')
      if (how === 'not near') await plain.namespace(name).deleteByTag('a')
      if (how === 'sql') await body.sql(`select ${a.schema}.delete_by_tag('default', '${name}', 'a', 'none')`)
      if (how !== 'near') await a.near.sync()
      expect(await hitsOf(a, own, 'tagged')).toEqual([0, undefined])
      await b.near.sync()
      expect(await hitsOf(b, other, 'tagged')).toEqual([0, undefined])
      expect(await hitsOf(b, other, 'wide')).toEqual([1, 2])
      expect(await hitsOf(b, other, 'plain')).toEqual([1, 3])
      await own.set('tagged', 4, { tags: ['a'] })
      expect((await hitsOf(a, own, 'tagged'))[1]).toBe(4)
      await b.near.sync()
      expect((await hitsOf(b, other, 'tagged'))[1]).toBe(4)
      await expect.poll(async () => (await hitsOf(b, other, 'tagged'))[0], { timeout: 10_000, interval: 5 }).toBe(1)
    },
  )

  it('goes with a tag of the whole tenant', async () => {
    const { a, b, caches } = await three()
    const [own, other] = caches
    const deleted = a.tenant('default').deleteByTag('a')
    // In the order of the calls, awaited or not.
    expect(await own.get('wide')).toBeUndefined()
    await deleted
    await b.near.sync()
    expect(await hitsOf(b, other, 'wide')).toEqual([0, undefined])
    expect(await hitsOf(b, other, 'tagged')).toEqual([1, 1])
  })

  it('is not written through: only the database knows under which number it is stored', async () => {
    const { a, caches } = await three()
    const [own] = caches
    await own.set('tagged', 5, { tags: ['a'] })
    await own.deleteByTag('a')
    expect(await own.get('tagged')).toBeUndefined()
    void own.set('tagged', 6, { tags: ['a'] })
    void own.deleteByTag('a')
    expect(await own.get('tagged')).toBeUndefined()
    expect(await hitsOf(a, own, 'wide')).toEqual([0, 2])
  })
})
