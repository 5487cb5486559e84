import { beforeAll, describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../src/errors'
import type { Cache } from '../../src/stash/entries/cache'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describeEveryBody, describeStrictDefaults } from '../support/bodies'
import { oneOf } from '../support/depth'
import { sleep } from '../support/sleep'

/** Apart by a column, and by row-level security. */
describeEveryBody('tags', (body) => {
  describe.each(['column', ...oneOf(['rls'])])('tenants apart by %s', (isolation) => contract(body, isolation))
})

describeStrictDefaults('tags', (body) => contract(body, 'column'))

function contract(body: Body, isolation: string) {
  let stash: PgStash
  let namespaces = 0
  const fresh = (): Cache => stash.namespace(`n${namespaces++}`)
  const listed = async (cache: Cache) => {
    const entries: unknown[] = []
    for await (const entry of cache.entries()) entries.push(entry)
    return entries
  }

  beforeAll(async () => {
    stash = isolation === 'rls' ? await body.openIsolated() : body.open()
    await stash.ready()
  })

  /** What each verb answers of an entry that is there (5, tagged), and of one that is deleted by a tag: as of one that was never stored. */
  const verbs: Record<
    string,
    [ask: (cache: Cache, version: number) => Promise<unknown>, there: unknown, gone: unknown]
  > = {
    get: [(cache) => cache.get('k'), 5, undefined],
    getMany: [
      (cache) => cache.getMany(['k', 'l', 'none', 'plain']),
      [5, 6, undefined, 7],
      [undefined, undefined, undefined, 7],
    ],
    'get of two namespaces': [
      (cache) => Promise.all([cache.get('k'), stash.namespace('elsewhere').get('k')]),
      [5, undefined],
      [undefined, undefined],
    ],
    getEntry: [async (cache) => (await cache.getEntry('k'))?.value, 5, undefined],
    'getEntry of many': [
      async (cache) =>
        (await Promise.all(['k', 'l', 'plain'].map((key) => cache.getEntry(key)))).map((one) => one?.value),
      [5, 6, 7],
      [undefined, undefined, 7],
    ],
    has: [(cache) => cache.has('k'), true, false],
    hasMany: [(cache) => cache.hasMany(['k', 'l', 'plain']), [true, true, true], [false, false, true]],
    ttl: [(cache) => cache.ttl('k'), null, undefined],
    entries: [
      listed,
      [
        ['k', 5],
        ['l', 6],
        ['plain', 7],
      ],
      [['plain', 7]],
    ],
    add: [async (cache) => [await cache.add('k', 'new'), await cache.get('k')], [false, 5], [true, 'new']],
    'add of many': [
      (cache) =>
        Promise.all([cache.add('k', 'new'), cache.add('l', 'new'), cache.add('m', 'new'), cache.add('plain', 1)]),
      [false, false, true, false],
      [true, true, true, false],
    ],
    compareAndSet: [
      async (cache, version) => [(await cache.compareAndSet('k', version, 'new')).ok, await cache.get('k')],
      [true, 'new'],
      [false, undefined],
    ],
    'compareAndSet of another version': [
      async (cache, version) => (await cache.compareAndSet('k', 1, 'new')).version === version,
      true,
      false,
    ],
    increment: [async (cache) => [await cache.increment('k', 2), await cache.get('k')], [7, 7], [2, 2]],
    'increment of many': [
      (cache) => Promise.all(['k', 'l', 'm', 'plain'].map((key) => cache.increment(key))),
      [6, 7, 1, 8],
      [1, 1, 1, 8],
    ],
    touch: [async (cache) => [await cache.touch('k', null), await cache.get('k')], [true, 5], [false, undefined]],
    take: [async (cache) => [await cache.take('k'), await cache.get('k')], [5, undefined], [undefined, undefined]],
    delete: [(cache) => cache.delete('k'), true, false],
    deleteMany: [(cache) => cache.deleteMany(['k', 'l', 'plain']), [true, true, true], [false, false, true]],
    deleteByPrefix: [(cache) => cache.deleteByPrefix('k'), 1, 0],
    set: [
      async (cache) => [typeof (await cache.set('k', 'new')).version, await cache.get('k')],
      ['number', 'new'],
      ['number', 'new'],
    ],
    stats: [
      async () =>
        (await stash.tenant('default').stats()).namespaces.find(({ namespace }) => namespace === `n${namespaces - 1}`)
          ?.live,
      3,
      1,
    ],
  }

  it.each(Object.keys(verbs))('%s sees what is tagged, until it is deleted by a tag', async (name) => {
    const [ask, there, gone] = verbs[name] as (typeof verbs)[string]
    for (const isDeleted of [false, true]) {
      const cache = fresh()
      const { version } = await cache.set('k', 5, { tags: ['a', 'b'] })
      await cache.setMany([
        { key: 'l', value: 6, tags: ['b', 'c'] },
        { key: 'plain', value: 7 },
      ])
      // Of a tag that neither has nothing goes.
      await cache.deleteByTag('d')
      if (isDeleted) await cache.deleteByTag('b')
      expect(await ask(cache, version)).toEqual(isDeleted ? gone : there)
    }
  })

  it('has a version that grows across a deletion by tag', async () => {
    const cache = fresh()
    const first = await cache.set('k', 1, { tags: ['a'] })
    await cache.deleteByTag('a')
    const second = await cache.set('k', 2, { tags: ['a'] })
    expect(second.version).toBeGreaterThan(first.version)
    expect((await cache.getEntry('k'))?.version).toBe(second.version)
    const together = await Promise.all([1, 2, 3].map((value) => cache.set('k', value, { tags: ['a'] })))
    expect(together.map(({ version }) => version)).toEqual(
      [...together.map(({ version }) => version)].sort((a, b) => a - b),
    )
    expect((await cache.getEntry('k'))?.version).toBe(together[2]?.version)
  })

  it('deletes what is stored under one of its tags, and what is stored after that stays', async () => {
    const cache = fresh()
    await cache.set('k', 1, { tags: ['a', 'b'] })
    await cache.deleteByTag(['b', 'none'])
    await cache.set('k', 2, { tags: ['a', 'b'] })
    expect(await cache.get('k')).toBe(2)
    await cache.deleteByTag('a')
    expect(await cache.get('k')).toBeUndefined()
  })

  it('takes the tags away with an overwrite that has none, and gives it others', async () => {
    const cache = fresh()
    const { version } = await cache.set('set', 1, { tags: ['a'] })
    await cache.set('set', 2)
    await cache.setMany([
      { key: 'many', value: 1, tags: ['a'] },
      { key: 'other', value: 1, tags: ['a'] },
    ])
    await cache.setMany([
      { key: 'many', value: 2 },
      { key: 'other', value: 2, tags: ['b'] },
    ])
    await cache.set('compared', 1, { tags: ['a'] }).then(({ version }) => cache.compareAndSet('compared', version, 2))
    await cache
      .set('if', 1, { tags: ['a'] })
      .then(({ version }) => cache.set('if', 2, { ifVersion: version, tags: ['b'] }))
    await cache.deleteByTag('a')
    const keys = ['set', 'many', 'other', 'compared', 'if']
    expect(await cache.getMany(keys)).toEqual([2, 2, 2, 2, 2])
    await cache.deleteByTag('b')
    expect(await cache.getMany(keys)).toEqual([2, 2, undefined, 2, undefined])
    expect((await cache.compareAndSet('set', version, 3)).ok).toBe(false)
  })

  it('tags what add and compareAndSet write', async () => {
    const cache = fresh()
    expect(await cache.add('added', 1, { tags: ['a'] })).toBe(true)
    expect(await cache.add('added', 2, { tags: ['b'] })).toBe(false)
    const { version } = await cache.set('compared', 1)
    expect((await cache.compareAndSet('compared', version, 2, { tags: ['a'] })).ok).toBe(true)
    expect(await cache.getMany(['added', 'compared'])).toEqual([1, 2])
    await cache.deleteByTag('b')
    expect(await cache.getMany(['added', 'compared'])).toEqual([1, 2])
    await cache.deleteByTag('a')
    expect(await cache.getMany(['added', 'compared'])).toEqual([undefined, undefined])
    expect(await cache.add('added', 3, { tags: ['a'] })).toBe(true)
    expect(await cache.get('added')).toBe(3)
  })

  it('keeps the tags with increment and touch', async () => {
    const cache = fresh()
    await cache.set('n', 1, { tags: ['a'] })
    await cache.set('t', 1, { tags: ['a'], ttl: 60_000 })
    expect(await cache.increment('n')).toBe(2)
    expect(await cache.touch('t', 600_000)).toBe(true)
    expect(await cache.ttl('t')).toBeGreaterThan(500_000)
    await cache.deleteByTag('a')
    expect(await cache.getMany(['n', 't'])).toEqual([undefined, undefined])
  })

  it('refuses to add to a tagged entry that is no integer', async () => {
    const cache = fresh()
    await cache.set('k', 'text', { tags: ['a'] })
    await expect(cache.increment('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_NOT_AN_INTEGER' })
    expect(await cache.get('k')).toBe('text')
    await cache.deleteByTag('a')
    expect(await cache.increment('k')).toBe(1)
  })

  it('expires, and is cleared, as any other', async () => {
    const cache = fresh()
    await cache.set('short', 1, { tags: ['a'], ttl: 40 })
    await sleep(80)
    expect([await cache.get('short'), await cache.has('short'), await cache.add('short', 2)]).toEqual([
      undefined,
      false,
      true,
    ])
    await cache.set('k', 1, { tags: ['a'] })
    await cache.clear()
    expect([await cache.get('k'), await cache.add('k', 2, { tags: ['a'] }), await cache.get('k')]).toEqual([
      undefined,
      true,
      2,
    ])
    await cache.set('n', 5, { tags: ['a'] })
    await stash.tenant('default').clear()
    expect([await cache.get('k'), await cache.increment('n')]).toEqual([undefined, 1])
  })

  it('knows tags of the namespace from those of the tenant, and of one tenant from those of another', async () => {
    const [a, b] = ['a', 'b'].map((name) => stash.tenant(name)) as [
      ReturnType<PgStash['tenant']>,
      ReturnType<PgStash['tenant']>,
    ]
    const spaces = [a.namespace('x'), a.namespace('y'), b.namespace('x')] as const
    for (const space of spaces) {
      await space.set('own', 1, { tags: ['t'] })
      await space.set('wide', 1, { tags: ['t'], tagScope: 'tenant' })
      await space.setMany([{ key: 'many', value: 1, tags: ['t'], tagScope: 'tenant' }])
    }
    const seen = () => Promise.all(spaces.map((space) => space.getMany(['own', 'wide', 'many'])))
    await spaces[0].deleteByTag('t')
    expect(await seen()).toEqual([
      [undefined, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ])
    await a.deleteByTag('t')
    expect(await seen()).toEqual([
      [undefined, undefined, undefined],
      [1, undefined, undefined],
      [1, 1, 1],
    ])
  })

  it('is a barrier: what was asked before it goes, what is asked after it stays, awaited or not', async () => {
    const cache = fresh()
    const before = [
      cache.set('k', 1, { tags: ['a'] }),
      cache.add('l', 1, { tags: ['a'] }),
      cache.setMany([{ key: 'm', value: 1, tags: ['a'] }]),
    ]
    const deleted = cache.deleteByTag('a')
    const read = cache.getMany(['k', 'l', 'm'])
    const after = [cache.set('k', 2, { tags: ['a'] }), cache.add('l', 2, { tags: ['a'] })]
    const reread = cache.getMany(['k', 'l', 'm'])
    expect(await read).toEqual([undefined, undefined, undefined])
    expect(await reread).toEqual([2, 2, undefined])
    await Promise.all([...before, deleted, ...after])
    const tenantWide = stash.tenant('default')
    void cache.set('k', 3, { tags: ['a'], tagScope: 'tenant' })
    void tenantWide.deleteByTag('a')
    expect(await cache.get('k')).toBeUndefined()
  })

  it('takes 128 tags of 256 characters, whatever they hold', async () => {
    const cache = fresh()
    const tags = Array.from({ length: 128 }, (_, at) => `${at}`.padEnd(256, `${'\u{1F3F7}'.repeat(3)}"\\{},  null`))
    await cache.set('k', 1, { tags, ttl: 60_000 })
    await cache.setMany([
      {
        key: 'l',
        value: 1,
        tags: [tags[3] as string, 'null', ' ', '"', '\\', '{}', 'a,b', ',', "'", '\u00e9', 'NULL'],
      },
      { key: 'm', value: 1, tags: tags.slice(4) },
    ])
    expect(await cache.getMany(['k', 'l', 'm'])).toEqual([1, 1, 1])
    await cache.deleteByTag('NULL')
    expect(await cache.getMany(['k', 'l', 'm'])).toEqual([1, undefined, 1])
    await cache.deleteByTag(tags[127] as string)
    expect(await cache.getMany(['k', 'l', 'm'])).toEqual([undefined, undefined, undefined])
  })

  it('names the argument that will not do, and sends nothing', async () => {
    const cache = fresh()
    const refused = async (call: Promise<unknown>, field: string) => {
      const error = await call.then(undefined, (reason: unknown) => reason)
      expect(error).toBeInstanceOf(InvalidArgumentError)
      expect((error as InvalidArgumentError).message).toContain(field)
    }
    const bad: unknown[] = [
      [''],
      ['a\0'],
      ['\ud800'],
      ['x'.repeat(257)],
      [1],
      [null],
      'a',
      5,
      new Array(2),
      Array.from({ length: 129 }, (_, at) => `${at}`),
    ]
    for (const tags of bad as never[]) {
      await refused(cache.set('k', 1, { tags }), 'tags')
      await refused(cache.setMany([{ key: 'k', value: 1, tags }]), 'tags')
      await refused(cache.add('k', 1, { tags }), 'tags')
      await refused(cache.compareAndSet('k', 1, 1, { tags }), 'tags')
    }
    await refused(cache.set('k', 1, { tags: ['a'], tagScope: 'all' as never }), 'tagScope')
    await refused(cache.increment('k', 1, { tags: ['a'] } as never), 'tags')
    for (const tag of [
      '',
      ['a', ''],
      5,
      null,
      undefined,
      ['x'.repeat(257)],
      Array.from({ length: 1_001 }, (_, at) => `${at}`),
    ] as never[]) {
      await refused(cache.deleteByTag(tag), 'tags')
      await refused(stash.tenant('default').deleteByTag(tag), 'tags')
    }
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', 1, { tags: [] })
    await cache.deleteByTag([])
    expect(await cache.get('k')).toBe(1)
  })
}
