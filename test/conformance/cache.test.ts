import { beforeAll, expect, it } from 'vitest'
import type { Cache } from '../../src/stash/entries/cache'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeEveryBody } from '../support/bodies'
import { rounds } from '../support/depth'
import { sleep } from '../support/sleep'

/** The native verbs of design §2: one contract, every body. */
describeEveryBody('cache', (body) => {
  let stash: PgStash
  let namespaces = 0
  const fresh = (options?: Parameters<PgStash['namespace']>[1]): Cache => stash.namespace(`n${namespaces++}`, options)

  beforeAll(() => {
    stash = body.open()
  })

  it('gives undefined for what is not there', async () => {
    const cache = fresh()
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.getEntry('a')).toBeUndefined()
    expect(await cache.ttl('a')).toBeUndefined()
    expect(await cache.take('a')).toBeUndefined()
    expect(await cache.has('a')).toBe(false)
    expect(await cache.delete('a')).toBe(false)
    expect(await cache.touch('a', 1_000)).toBe(false)
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, undefined])
  })

  it('gives back what was set, with a version that grows', async () => {
    const cache = fresh()
    const first = await cache.set('a', { n: 1 })
    const second = await cache.set('a', { n: 2 })
    expect(second.version).toBeGreaterThan(first.version)
    expect(await cache.getEntry('a')).toEqual({ value: { n: 2 }, version: second.version, expiresAt: null })
  })

  it('answers many in the order of the caller, duplicates too', async () => {
    const cache = fresh()
    const written = await cache.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
      { key: 'a', value: 3 },
    ])
    // Versions are told apart by key: here those of the two sets of a.
    expect(written[2]?.version).toBeGreaterThan(written[0]?.version as number)
    expect(await cache.getMany(['b', 'x', 'a', 'b'])).toEqual([2, undefined, 3, 2])
    expect(await cache.hasMany(['x', 'a'])).toEqual([false, true])
    expect(await cache.deleteMany(['x', 'a', 'a'])).toEqual([false, true, false])
    expect(await cache.getMany([])).toEqual([])
    expect(await cache.setMany([])).toEqual([])
    expect((await cache.getEntry('b'))?.version).toBe(written[1]?.version)
  })

  it('lets entries expire, and tells how long they have', async () => {
    const cache = fresh({ ttl: 60_000 })
    await cache.set('default', 1)
    await cache.set('short', 1, { ttl: 40 })
    await cache.set('ever', 1, { ttl: null })
    await cache.set('infinite', 1, { ttl: Number.POSITIVE_INFINITY })
    expect(await cache.ttl('default')).toBeGreaterThan(50_000)
    expect(await cache.ttl('ever')).toBeNull()
    expect(await cache.ttl('infinite')).toBeNull()
    await sleep(80)
    expect(await cache.get('short')).toBeUndefined()
    expect(await cache.has('short')).toBe(false)
    expect(await cache.delete('short')).toBe(false)
  })

  it('gives the moment of expiry by the clock of the database', async () => {
    const cache = fresh()
    const [[now]] = (await body.sql('select (extract(epoch from now()) * 1000)::float8')) as [[number]]
    await cache.set('a', 1, { ttl: 10_000 })
    const entry = await cache.getEntry('a')
    expect(entry?.expiresAt).toBeGreaterThanOrEqual(now + 9_000)
    expect(entry?.expiresAt).toBeLessThan(now + 15_000)
  })

  it('replaces the expiry with the value', async () => {
    const cache = fresh()
    await cache.set('a', 1, { ttl: 50 })
    await cache.set('a', 2)
    await sleep(80)
    expect(await cache.get('a')).toBe(2)
  })

  it('adds only what is absent: expired and cleared count as absent', async () => {
    const cache = fresh()
    expect(await cache.add('a', 1)).toBe(true)
    expect(await cache.add('a', 2)).toBe(false)
    expect(await cache.get('a')).toBe(1)
    await cache.set('b', 1, { ttl: 20 })
    await sleep(50)
    expect(await cache.add('b', 2)).toBe(true)
    await cache.clear()
    expect(await cache.add('a', 3)).toBe(true)
    expect(await cache.getMany(['a', 'b'])).toEqual([3, undefined])
  })

  it('compares and sets', async () => {
    const cache = fresh()
    const { version } = await cache.set('a', 1)
    const won = await cache.compareAndSet('a', version, 2, { ttl: 60_000 })
    expect(won.ok).toBe(true)
    expect(won.version).toBeGreaterThan(version)
    expect(await cache.compareAndSet('a', version, 3)).toEqual({ ok: false, version: won.version })
    expect(await cache.getEntry('a')).toMatchObject({ value: 2, version: won.version })
    expect(await cache.compareAndSet('nothing', version, 3)).toEqual({ ok: false, version: undefined })
  })

  it('never gives a version twice, not even after delete and re-create', async () => {
    const cache = fresh()
    const seen = new Set<number>()
    const sequences = rounds({ shallow: 20, deep: 100 })
    for (let round = 0; round < sequences; round += 1) {
      const writes = await Promise.all([cache.set('a', 1), cache.set('a', 2), cache.set('a', 3)])
      for (const { version } of writes) seen.add(version)
      if (round % 2 === 0) await cache.delete('a')
      else await cache.take('a')
      seen.add((await cache.set('a', 4)).version)
      await cache.delete('a')
      await cache.add('a', 5)
      seen.add((await cache.getEntry('a'))?.version as number)
    }
    expect(seen.size).toBe(5 * sequences)
  })

  it('gives an overwritten set a version that no compare-and-set accepts', async () => {
    const cache = fresh()
    const [lost, won] = await Promise.all([cache.set('a', 1), cache.set('a', 2)])
    expect(await cache.compareAndSet('a', lost.version, 3)).toEqual({ ok: false, version: won.version })
    expect((await cache.compareAndSet('a', won.version, 4)).ok).toBe(true)
  })

  it('increments, creating with the ttl and keeping it', async () => {
    const cache = fresh()
    expect(await cache.increment('n')).toBe(1)
    expect(await cache.increment('n', 41)).toBe(42)
    expect(await cache.increment('n', -50)).toBe(-8)
    expect(await cache.get('n')).toBe(-8)
    expect(await cache.increment('t', 1, { ttl: 30_000 })).toBe(1)
    expect(await cache.increment('t', 1, { ttl: 60_000 })).toBe(2)
    expect(await cache.ttl('t')).toBeLessThanOrEqual(30_000)
    await cache.increment('brief', 1, { ttl: 20 })
    await sleep(50)
    expect(await cache.increment('brief')).toBe(1)
    expect(await cache.ttl('brief')).toBeNull()
    await cache.set('set', 5)
    expect(await cache.increment('set')).toBe(6)
  })

  it('refuses to increment what is no integer, or would not fit, and lets the neighbours through', async () => {
    const cache = fresh()
    await cache.set('text', '5')
    await cache.set('large', Number.MAX_SAFE_INTEGER)
    const settled = await Promise.allSettled([
      cache.increment('text'),
      cache.increment('large'),
      cache.increment('large', -1),
      cache.increment('fine'),
      cache.increment('new', Number.MAX_SAFE_INTEGER),
      cache.increment('new', 5),
      cache.increment('new', -5),
    ])
    expect(settled.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code))).toEqual([
      'ERR_PGSTASH_NOT_AN_INTEGER',
      'ERR_PGSTASH_NOT_AN_INTEGER',
      Number.MAX_SAFE_INTEGER - 1,
      1,
      Number.MAX_SAFE_INTEGER,
      'ERR_PGSTASH_NOT_AN_INTEGER',
      Number.MAX_SAFE_INTEGER - 5,
    ])
    expect(await cache.get('text')).toBe('5')
  })

  it('touches: another expiry, the same value and version', async () => {
    const cache = fresh()
    const { version } = await cache.set('a', 1, { ttl: 30_000 })
    expect(await cache.touch('a', 60_000)).toBe(true)
    expect(await cache.ttl('a')).toBeGreaterThan(30_000)
    expect(await cache.getEntry('a')).toMatchObject({ value: 1, version })
    await cache.touch('a', 20)
    await sleep(50)
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.touch('a', 60_000)).toBe(false)
    await cache.set('a', 1, { ttl: 30_000 })
    expect(await cache.touch('a', null)).toBe(true)
    expect(await cache.ttl('a')).toBeNull()
  })

  it('takes once', async () => {
    const cache = fresh()
    await cache.set('a', 'prize')
    const taken = await Promise.all(Array.from({ length: 10 }, () => cache.take('a')))
    expect(taken.filter((value) => value === 'prize')).toHaveLength(1)
    expect(await cache.get('a')).toBeUndefined()
  })

  it('clears a namespace, and nothing else', async () => {
    const [a, b] = [fresh(), fresh()]
    await Promise.all([a.set('k', 1), b.set('k', 2)])
    await a.clear()
    expect(await a.get('k')).toBeUndefined()
    expect(await b.get('k')).toBe(2)
    await a.set('k', 3)
    expect(await a.get('k')).toBe(3)
    await a.clear()
    await a.clear()
    expect(await a.get('k')).toBeUndefined()
  })

  it('clears a tenant, and no other', async () => {
    const spaces = ['x', 'y'].map((name) => stash.tenant('acme').namespace(name))
    const other = stash.tenant('other').namespace('x')
    await Promise.all([...spaces, other].map((space) => space.set('k', 1)))
    await stash.tenant('acme').clear()
    expect(await Promise.all(spaces.map((space) => space.get('k')))).toEqual([undefined, undefined])
    expect(await other.get('k')).toBe(1)
  })

  it('keeps tenants apart, numbers and strings being one name', async () => {
    await stash.tenant(7).namespace('x').set('k', 'seven')
    expect(await stash.tenant('7').namespace('x').get('k')).toBe('seven')
    expect(await stash.tenant('8').namespace('x').get('k')).toBeUndefined()
    expect(await stash.namespace('x').get('k')).toBeUndefined()
  })

  it('keeps versions of a namespace apart', async () => {
    const [plain, first, second] = [undefined, 1, 2].map((version) => stash.namespace('shapes', { version })) as [
      Cache,
      Cache,
      Cache,
    ]
    await first.set('k', 'one')
    await second.set('k', 'two')
    expect([await plain.get('k'), await first.get('k'), await second.get('k')]).toEqual([undefined, 'one', 'two'])
    await second.clear()
    expect([await first.get('k'), await second.get('k')]).toEqual(['one', undefined])
  })

  it('lists keys and entries by prefix and glob, page by page', async () => {
    const cache = fresh()
    const entries = Array.from({ length: 2_500 }, (_, at) => ({ key: `user:${at}`, value: at }))
    await cache.setMany([
      ...entries,
      { key: 'user', value: 'short' },
      { key: 'userz', value: 'other' },
      { key: 'us%r:1', value: 'percent' },
    ])
    await cache.set('user:gone', 1, { ttl: 1 })
    await sleep(20)
    expect((await all(cache.keys())).length).toBe(2_503)
    expect((await all(cache.keys({ prefix: 'user:' }))).sort()).toEqual(entries.map(({ key }) => key).sort())
    expect(await all(cache.keys({ prefix: 'us%' }))).toEqual(['us%r:1'])
    expect(new Map(await all(cache.entries({ prefix: 'user:' })))).toEqual(
      new Map(entries.map(({ key, value }) => [key, value])),
    )
    expect((await all(cache.keys({ match: 'user:?' }))).length).toBe(10)
    expect((await all(cache.keys({ match: 'user:[1-3]0' }))).sort()).toEqual(['user:10', 'user:20', 'user:30'])
    expect(await all(cache.keys({ match: '*z' }))).toEqual(['userz'])
    expect(await all(cache.keys({ prefix: 'user:1', match: '*77' }))).toEqual(
      [
        'user:177',
        'user:1077',
        'user:1177',
        'user:1277',
        'user:1377',
        'user:1477',
        'user:1577',
        'user:1677',
        'user:1777',
        'user:1877',
        'user:1977',
      ].sort(),
    )
  })

  it('lists what was written before, awaited or not', async () => {
    const cache = fresh()
    const writing = cache.set('a', 1)
    expect(await all(cache.keys())).toEqual(['a'])
    await writing
  })

  it('deletes by prefix, literally', async () => {
    const cache = fresh()
    const long = `user:${'x'.repeat(3_000)}`
    await cache.setMany(
      ['user:1', 'user:2', 'user', 'userx', 'us_r:1', 'uszr:1', long].map((key) => ({ key, value: 1 })),
    )
    expect(await cache.deleteByPrefix('us_')).toBe(1)
    expect(await cache.deleteByPrefix('user:')).toBe(3)
    expect((await all(cache.keys())).sort()).toEqual(['user', 'userx', 'uszr:1'])
    expect(await cache.deleteByPrefix('nothing')).toBe(0)
  })

  it('stores keys of 1 byte to 100 KB, and digests look-alikes', async () => {
    const cache = fresh()
    const keys = [
      'a',
      '',
      ' ',
      'é',
      '🙂',
      'a'.repeat(1_024),
      'a'.repeat(1_025),
      'é'.repeat(600),
      'b'.repeat(100_000),
      '#sha256:x',
      '%_\\"\'',
    ]
    await cache.setMany(keys.map((key, value) => ({ key, value })))
    expect(await cache.getMany(keys)).toEqual(keys.map((_, at) => at))
    expect(new Set(await all(cache.keys()))).toEqual(new Set(keys))
    expect(await all(cache.keys({ prefix: '#sha' }))).toEqual(['#sha256:x'])
    expect(await all(cache.keys({ prefix: 'é' }))).toEqual(expect.arrayContaining(['é', 'é'.repeat(600)]))
    expect(await cache.deleteMany(keys)).toEqual(keys.map(() => true))
  })

  it('sweeps what is expired or cleared, and counts the rest', async () => {
    const swept = body.open()
    const [a, b] = [swept.namespace('a'), swept.tenant('t').namespace('b')]
    await a.setMany(Array.from({ length: 500 }, (_, at) => ({ key: `k${at}`, value: 'x', ttl: at < 200 ? 1 : null })))
    await b.setMany(Array.from({ length: 300 }, (_, at) => ({ key: `k${at}`, value: 'xyz' })))
    await b.clear()
    await b.set('k0', 'abc')
    await sleep(20)
    expect(await swept.stats()).toMatchObject({ live: 301, expired: 200, cleared: 299, bytes: 303, isUnlogged: false })
    expect(await swept.sweep()).toEqual({ expired: 200, sessions: 0, rateLimits: 0, cleared: 299, evicted: 0 })
    expect(await swept.sweep()).toEqual({ expired: 0, sessions: 0, rateLimits: 0, cleared: 0, evicted: 0 })
    expect(await swept.stats()).toMatchObject({ live: 301, expired: 0, cleared: 0 })
  })

  it('shows live entries to SQL, JSON as jsonb', async () => {
    const shown = body.open()
    const cache = shown.tenant('acme').namespace('views')
    await cache.setMany([
      { key: 'json', value: { n: [1] } },
      { key: 'text', value: 'plain' },
      { key: 'nul', value: '\0' },
      { key: 'gone', value: 1, ttl: 1 },
      { key: 'k'.repeat(2_000), value: 5 },
    ])
    await sleep(20)
    const rows = await body.sql(
      `select left(key, 4), json->'n', json is null from ${shown.schema}.live_entry where tenant = 'acme' order by key`,
    )
    expect(rows.map(([key, , isNull]) => [key, isNull])).toEqual([
      ['json', false],
      ['kkkk', false],
      ['nul', true],
      ['text', true],
    ])
    expect(rows[0]?.[1]).toEqual([1])
  })

  it('makes an unlogged table where asked', async () => {
    const unlogged = body.open({ unlogged: true })
    await unlogged.namespace('a').set('k', 1)
    expect(await unlogged.stats()).toMatchObject({ isUnlogged: true, live: 1 })
  })
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
