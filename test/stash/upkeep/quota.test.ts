import { expect, it } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import { resolveOptions } from '../../../src/stash/options/resolved'
import { Sessions } from '../../../src/stash/sessions/store'
import { describeBodies } from '../../support/bodies'

const entries = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => ({ key: `k${from + at}`, value: 'x'.repeat(10) }))

const keysOf = async (cache: Cache) => {
  const keys: string[] = []
  for await (const key of cache.keys()) keys.push(key)
  return keys
}

describeBodies('a quota', (body) => {
  it('holds within one sweep for the tenant that overflows, and takes nothing from another', async () => {
    const stash = body.open({ quota: { maxEntries: 1_000 } })
    const [greedy, modest] = ['greedy', 'modest'].map((tenant) => stash.tenant(tenant).namespace('n')) as [Cache, Cache]
    await modest.setMany(entries(900))
    await greedy.setMany(entries(12_000))
    expect(await stash.sweep()).toMatchObject({ evicted: 11_000 })
    expect(await stash.tenant('greedy').stats()).toMatchObject({ live: 1_000 })
    expect(await stash.tenant('modest').stats()).toMatchObject({ live: 900 })
    expect(await stash.sweep()).toMatchObject({ evicted: 0 })
  })

  it('takes what was written longest ago, in any namespace', async () => {
    const stash = body.open({ quota: { maxEntries: 3 } })
    const [a, b] = ['a', 'b'].map((name) => stash.namespace(name)) as [Cache, Cache]
    for (const [cache, key] of [
      [a, '1'],
      [b, '2'],
      [a, '3'],
      [b, '4'],
      [a, '5'],
    ] as const)
      await cache.set(key, key)
    // To write again is to be new; to read or to touch is not.
    await a.set('1', 'again')
    await b.get('2')
    await a.touch('3', 60_000)
    await stash.sweep()
    expect(await keysOf(a)).toEqual(['1', '5'])
    expect(await keysOf(b)).toEqual(['4'])
  })

  it('counts bytes too, each tenant by its own', async () => {
    const quotas: Record<string, object | undefined> = { small: { maxBytes: 100 }, free: undefined }
    const stash = body.open({ quota: (tenant) => quotas[tenant] })
    for (const tenant of ['small', 'free']) await stash.tenant(tenant).namespace('n').setMany(entries(50))
    expect(await stash.sweep()).toMatchObject({ evicted: 40 })
    expect(await stash.tenant('small').stats()).toMatchObject({ live: 10, bytes: 100 })
    expect(await stash.tenant('free').stats()).toMatchObject({ live: 50 })
  })

  it('does not count what is expired or cleared', async () => {
    const stash = body.open({ quota: { maxEntries: 10 } })
    const cache = stash.namespace('n')
    await cache.setMany(entries(10))
    await cache.clear()
    await cache.setMany(entries(10, 100))
    expect(await stash.sweep()).toMatchObject({ expired: 0, cleared: 10, evicted: 0 })
    expect(await keysOf(cache)).toHaveLength(10)
  })

  it('is refused where a function gives none, and keeps other tenants to theirs', async () => {
    const quotas: Record<string, unknown> = {
      odd: Promise.resolve({ maxEntries: 1 }),
      typo: { maxEntires: 1 },
      right: { maxEntries: 1 },
    }
    const stash = body.open({ quota: (tenant) => quotas[tenant] as object })
    for (const tenant of Object.keys(quotas)) await stash.tenant(tenant).namespace('n').setMany(entries(5))
    const table = `${stash.schema}.session_of_theirs`
    await body.sql(`create table ${table} (sid varchar primary key, sess json not null, expire timestamp(6) not null)`)
    await body.sql(`insert into ${table} values ('old', '{}', now() - interval '1 day')`)
    new Sessions({ stash, table })
    await expect(stash.sweep()).rejects.toMatchObject({ field: 'quota' })
    expect(await stash.tenant('right').stats()).toMatchObject({ live: 1 })
    expect(await body.sql(`select count(*)::int from ${table}`)).toEqual([[0]])
    expect((await stash.stats()).lastSweep).toMatchObject({ removed: 5 })
  })

  it('is refused where it is none', () => {
    for (const quota of [5, { maxEntries: -1 }, { maxBytes: 1.5 }, { maxEntires: 1 }]) {
      expect(() => resolveOptions({ quota: quota as object })).toThrow(/quota/)
    }
  })
})
