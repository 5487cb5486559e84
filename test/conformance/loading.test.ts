import { beforeAll, describe, expect, it } from 'vitest'
import { InvalidArgumentError, LoadCycleError, LoadTimeoutError } from '../../src/errors'
import type { Cache, LoadContext } from '../../src/stash/entries/cache'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describeEveryBody, describeStrictDefaults } from '../support/bodies'
import { oneOf } from '../support/depth'
import { sleep } from '../support/sleep'

/** Apart by a column, and by row-level security. */
describeEveryBody('loading', (body) => {
  describe.each(['column', ...oneOf(['rls'])])('tenants apart by %s', (isolation) => contract(body, isolation))
})

describeStrictDefaults('loading', (body) => contract(body, 'column'))

function contract(body: Body, isolation: string) {
  let stash: PgStash
  let namespaces = 0
  const fresh = (options = {}): Cache => stash.namespace(`n${namespaces++}`, options)

  beforeAll(async () => {
    stash = isolation === 'rls' ? await body.openIsolated() : body.open()
    await stash.ready()
  })

  /** A loader that counts, and answers when it is told. */
  const held = () => {
    let release: (value: unknown) => void = () => {}
    const released = new Promise((resolve) => {
      release = resolve
    })
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const loader = {
      calls: 0,
      context: undefined as LoadContext | undefined,
      begun,
      release,
      load: async (context: LoadContext) => {
        loader.calls += 1
        loader.context = context
        begin()
        return released
      },
    }
    return loader
  }

  it('loads what is not there, once, and stores it', async () => {
    const cache = fresh({ ttl: 60_000 })
    let calls = 0
    const load = () => ({ n: ++calls })
    expect(await Promise.all(Array.from({ length: 50 }, () => cache.getOrSet('k', load)))).toEqual(
      Array.from({ length: 50 }, () => ({ n: 1 })),
    )
    expect(await cache.get('k')).toEqual({ n: 1 })
    expect(await cache.ttl('k')).toBeGreaterThan(50_000)
    expect(await cache.getOrSet('k', load)).toEqual({ n: 1 })
  })

  it('answers each caller a value of his own, as a later get does', async () => {
    const cache = fresh()
    const load = () => ({ at: new Date(0) })
    const [a, b] = await Promise.all([cache.getOrSet('k', load), cache.getOrSet('k', load)])
    expect([a, b, await cache.get('k')]).toEqual(Array.from({ length: 3 }, () => ({ at: '1970-01-01T00:00:00.000Z' })))
    expect(a).not.toBe(b)
  })

  it('stores null, and not undefined, nor what is skipped', async () => {
    const cache = fresh()
    expect(await cache.getOrSet('null', () => null)).toBeNull()
    expect(await cache.getOrSet('null', () => 1)).toBeNull()
    expect(await cache.getOrSet('undefined', () => undefined)).toBeUndefined()
    expect(await cache.has('undefined')).toBe(false)
    expect(await cache.getOrSet('skipped', (context) => context.skip(5) as number)).toBe(5)
    expect(await cache.has('skipped')).toBe(false)
    expect(await cache.getOrSet('skipped', () => 6)).toBe(6)
    await cache.getOrSet('negative', () => null, { ttl: 60_000, negativeTtl: 1_000 })
    expect(await cache.ttl('negative')).toBeLessThanOrEqual(1_000)
  })

  it('stores the ttl and the tags that the loader says', async () => {
    const cache = fresh()
    const load = (context: LoadContext) => {
      context.setTtl(5_000)
      context.addTags('b', 'c')
      return 1
    }
    for (const tag of ['a', 'b', 'c']) {
      await cache.getOrSet('k', load, { tags: ['a'] })
      expect(await cache.ttl('k')).toBeLessThanOrEqual(5_000)
      await cache.deleteByTag('other')
      expect(await cache.has('k')).toBe(true)
      await cache.deleteByTag(tag)
      expect(await cache.has('k')).toBe(false)
    }
  })

  /** What voids a load of k, in this process and in another. */
  const voids: Record<string, (cache: Cache, stash: PgStash) => Promise<unknown>> = {
    delete: (cache) => cache.delete('k'),
    deleteMany: (cache) => cache.deleteMany(['j', 'k']),
    take: (cache) => cache.take('k'),
    deleteByPrefix: (cache) => cache.deleteByPrefix('k'),
    deleteByTag: (cache) => cache.deleteByTag('t'),
    'deleteByTag of one that is added': (cache) => cache.deleteByTag('added'),
    expire: (cache) => cache.expire('k'),
    clear: (cache) => cache.clear(),
    set: (cache) => cache.set('k', 'set'),
    add: (cache) => cache.add('k', 'set'),
    increment: (cache) => cache.increment('k'),
    'set of many': (cache) =>
      cache.setMany([
        { key: 'j', value: 1 },
        { key: 'k', value: 'set' },
      ]),
    'set with tags': (cache) => cache.set('k', 'set', { tags: ['x'] }),
    'set with a grace': (cache) => cache.set('k', 'set', { ttl: 60_000, grace: 5 }),
    'clear of the tenant': (_cache, of) => of.tenant('default').clear(),
    'set, then delete': async (cache) => {
      await cache.set('k', 'set')
      await cache.delete('k')
    },
  }

  describe.each(['this process', 'another'])('by %s', (where) => {
    it.each(Object.keys(voids))('a load is voided by %s', async (name) => {
      // Under row-level security each stash is of a role of its own: another one of its kind would not see the schema.
      if (where === 'another' && isolation === 'rls') return
      const namespace = `void ${where} ${name}`
      const cache = stash.namespace(namespace)
      const other = where === 'another' ? body.open({ schema: stash.schema }) : stash
      const loader = held()
      const load = async (context: LoadContext) => {
        context.addTags('added')
        return loader.load(context)
      }
      const asked = cache.getOrSet('k', load, { tags: ['t'] })
      await loader.begun
      await (voids[name] as (typeof voids)[string])(other.namespace(namespace), other)
      const after = await cache.get('k')
      // Who asks from now on gets what is made from now on, or what was written.
      const later = other.namespace(namespace).getOrSet('k', () => 'later', { waitTimeoutMs: 60_000 })
      if (where === 'this process') expect(await later).toBe(after ?? 'later')
      const joined = cache.getOrSet('k', () => 'joined')
      loader.release('loaded')
      expect(await asked).toBe('loaded')
      const [first, second] = await Promise.all([later, joined])
      expect(after === undefined ? ['later', 'joined'] : [after]).toContain(first)
      expect(second).toBe(first)
      expect(await cache.get('k')).toBe(first)
    })
  })

  it('serves what is stale at once, while one loads', async () => {
    const cache = fresh()
    await cache.set('k', 'old', { ttl: 40, grace: 60_000 })
    await sleep(60)
    expect(await cache.get('k')).toBeUndefined()
    const loader = held()
    expect(await cache.getOrSet('k', loader.load)).toBe('old')
    await loader.begun
    expect(loader.context?.stale).toMatchObject({ value: 'old' })
    expect(await Promise.all([1, 2, 3].map(() => cache.getOrSet('k', loader.load)))).toEqual(['old', 'old', 'old'])
    const patient = cache.getOrSet('k', loader.load, { softTimeoutMs: 5_000 })
    loader.release('new')
    expect(await patient).toBe('new')
    expect(await cache.get('k')).toBe('new')
    expect(loader.calls).toBe(1)
  })

  it('ends the grace by delete, clear and deleteByTag, and not by expire', async () => {
    for (const [name, end] of Object.entries(voids).slice(0, 8)) {
      const cache = fresh({ grace: 60_000, ttl: 60_000 })
      await cache.set('k', 'old', { tags: ['t', 'added'] })
      await end(cache, stash)
      expect([name, await cache.get('k')]).toEqual([name, undefined])
      const answer = await cache.getOrSet('k', () => 'new')
      expect([name, answer]).toEqual([name, name === 'expire' ? 'old' : 'new'])
    }
  })

  it('makes what is not modified fresh again', async () => {
    const cache = fresh({ ttl: 40, grace: 60_000 })
    await cache.set('k', { a: 1 })
    await sleep(60)
    expect(
      await cache.getOrSet('k', (context) => context.notModified(), { ttl: 60_000, softTimeoutMs: 5_000 }),
    ).toEqual({
      a: 1,
    })
    expect(await cache.get('k')).toEqual({ a: 1 })
  })

  it('keeps the tags of what is not modified, and its deletion by one of them', async () => {
    const name = `n${namespaces}`
    const cache = fresh({ ttl: 40, grace: 60_000 })
    const options = { ttl: 60_000, softTimeoutMs: 5_000 }
    const more = (context: LoadContext) => {
      context.addTags('more')
      return context.notModified()
    }
    await cache.set('k', 'old', { tags: ['t'] })
    await sleep(60)
    expect(await cache.getOrSet('k', more, options)).toBe('old')
    await cache.deleteByTag('t')
    expect(await cache.get('k')).toBeUndefined()
    for (const tag of ['t', 'more']) {
      await cache.set('k', 'old', { tags: ['t'] })
      await sleep(60)
      const held = cache.getOrSet(
        'k',
        async (context) => {
          // By somebody else, of whom this process knows nothing.
          if (tag === 't') await body.script(`select ${stash.schema}.delete_by_tag('default', '${name}', 't')`)
          return more(context)
        },
        options,
      )
      expect([tag, await held]).toEqual([tag, 'old'])
      if (tag === 'more') await cache.deleteByTag('more')
      expect([tag, await cache.get('k')]).toEqual([tag, undefined])
    }
  })

  it('has a grace where nothing but expire() ends the ttl', async () => {
    const cache = fresh()
    await cache.set('k', 'old', { ttl: null, grace: 60_000 })
    await cache.expire('k')
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getOrSet('k', () => 'new')).toBe('old')
  })

  it('answers each caller a value of his own, also what is not stored', async () => {
    const cache = fresh()
    const load = ({ skip }: LoadContext<{ n: number }>) => skip({ n: 1 })
    const [one, other] = await Promise.all([cache.getOrSet('k', load), cache.getOrSet('k', load)])
    expect([one, other]).toEqual([{ n: 1 }, { n: 1 }])
    expect(one).not.toBe(other)
    // What cannot be copied is answered as it is.
    expect(await cache.getOrSet('k', (context) => context.skip(1n))).toBe(1n)
  })

  it('answers what is stale where the load fails, and lets nobody try for a while', async () => {
    const cache = fresh()
    await cache.set('k', 'old', { ttl: 40, grace: 60_000 })
    await sleep(60)
    let calls = 0
    const fail = () => {
      calls += 1
      throw new Error('no')
    }
    const options = { softTimeoutMs: 5_000, errorBackoffMs: 300 }
    expect(await cache.getOrSet('k', fail, options)).toBe('old')
    expect(await cache.getOrSet('k', fail, options)).toBe('old')
    expect(calls).toBe(1)
    await sleep(320)
    expect(await cache.getOrSet('k', () => 'new', options)).toBe('new')
  })

  it('hands the error of the loader to all, as it is, and lets the next one try', async () => {
    const cache = fresh()
    const error = new Error('mine')
    const load = async () => {
      await sleep(20)
      throw error
    }
    const asked = await Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('k', load)))
    expect(asked.map((one) => (one as PromiseRejectedResult).reason)).toEqual([error, error, error])
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
  })

  it('gives a load up that takes too long', async () => {
    const cache = fresh()
    const loader = held()
    const error = await cache.getOrSet('k', loader.load, { maxLoadMs: 50 }).catch((one: unknown) => one)
    expect(error).toBeInstanceOf(LoadTimeoutError)
    expect(error).toMatchObject({ isLoading: false, timeoutMs: 50, key: 'k' })
    expect(loader.context?.signal.aborted).toBe(true)
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
  })

  it('lets a load go on that a caller did not wait for, and stores it', async () => {
    const cache = fresh()
    const loader = held()
    const error = await cache.getOrSet('k', loader.load, { hardTimeoutMs: 30 }).catch((one: unknown) => one)
    expect(error).toMatchObject({ isLoading: true, timeoutMs: 30 })
    expect(loader.context?.signal.aborted).toBe(false)
    const joined = cache.getOrSet('k', () => 'another')
    loader.release('late')
    expect(await joined).toBe('late')
    expect(await cache.get('k')).toBe('late')
  })

  it('aborts the load when the last one who waits has gone', async () => {
    const cache = fresh()
    const loader = held()
    const [first, last] = [new AbortController(), new AbortController()]
    const asked = [first, last].map(({ signal }) => cache.getOrSet('k', loader.load, { signal }).catch(() => 'gone'))
    await loader.begun
    first.abort()
    expect(await asked[0]).toBe('gone')
    expect(loader.context?.signal.aborted).toBe(false)
    last.abort()
    expect(await asked[1]).toBe('gone')
    expect(loader.context?.signal.aborted).toBe(true)
    expect(await cache.getOrSet('k', () => 'next', { waitTimeoutMs: 60_000 })).toBe('next')
  })

  it('refuses a loader that waits for itself', async () => {
    const cache = fresh()
    const direct = cache.getOrSet('k', () => cache.getOrSet('k', () => 1))
    await expect(direct).rejects.toBeInstanceOf(LoadCycleError)
    const through: Promise<unknown> = cache.getOrSet('a', () => cache.getOrSet('b', () => cache.getOrSet('a', () => 1)))
    await expect(through).rejects.toMatchObject({ code: 'ERR_PGSTASH_LOAD_CYCLE', key: 'a' })
    expect(await cache.getOrSet('c', () => cache.getOrSet('d', () => 4))).toBe(4)
    const ofMany = (key: string) =>
      cache.getOrSetMany(['e', 'f'], async () => new Map([['e', await cache.getOrSet<number>(key, () => 1)]]))
    for (const key of ['e', 'f'])
      await expect(ofMany(key)).rejects.toMatchObject({ code: 'ERR_PGSTASH_LOAD_CYCLE', key })
    expect(await ofMany('g')).toEqual([1, undefined])
    const forced = (): Promise<unknown> => cache.getOrSet('forced', forced, { forceFresh: true })
    await expect(forced()).rejects.toBeInstanceOf(LoadCycleError)
  })

  it('loads anew before the end, beside the answer', async () => {
    const cache = fresh({ ttl: 1_000 })
    await cache.set('k', 1)
    let calls = 1
    const load = () => ++calls
    expect(await cache.getOrSet('k', load, { eagerRefresh: 0.1 })).toBe(1)
    await sleep(150)
    expect(await cache.getOrSet('k', load, { eagerRefresh: 0.1 })).toBe(1)
    await sleep(100)
    expect(await cache.getOrSet('k', load, { eagerRefresh: 0.9 })).toBe(2)
  })

  it('goes by the ttl that the loader has chosen', async () => {
    const cache = fresh({ ttl: 60_000 })
    let calls = 0
    const load = ({ setTtl }: LoadContext<number>) => {
      setTtl(5_000)
      return ++calls
    }
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await cache.getOrSet('k', load, { eagerRefresh: 0.5 })).toBe(1)
      await sleep(10)
    }
  })

  it('loads whatever is there where it is asked to', async () => {
    const cache = fresh()
    await cache.set('k', 'old')
    expect(await cache.getOrSet('k', ({ stale }) => `new after ${stale?.value}`, { forceFresh: true })).toBe(
      'new after old',
    )
    expect(await cache.get('k')).toBe('new after old')
    await expect(cache.getOrSet('k', () => Promise.reject(new Error('no')), { forceFresh: true })).rejects.toThrow('no')
    expect(await cache.get('k')).toBe('new after old')
  })

  it('loads many at once: those that are not there', async () => {
    const cache = fresh({ ttl: 60_000 })
    await cache.set('b', 'there')
    const asked: string[][] = []
    const load = async (keys: string[]) => {
      asked.push(keys)
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `loaded ${key}`]))
    }
    const all = await cache.getOrSetMany(['a', 'b', 'none', 'c', 'a'], load)
    expect(all).toEqual(['loaded a', 'there', undefined, 'loaded c', 'loaded a'])
    expect(asked).toEqual([['a', 'none', 'c']])
    expect(await cache.getMany(['a', 'b', 'none', 'c'])).toEqual(['loaded a', 'there', undefined, 'loaded c'])
    expect(await cache.getOrSetMany(['a', 'b', 'c'], load)).toEqual(['loaded a', 'there', 'loaded c'])
    expect(asked).toHaveLength(1)
  })

  it('loads many once, beside others, and stores of them what nothing voided', async () => {
    const cache = fresh()
    const loader = held()
    const single = cache.getOrSet('b', loader.load)
    await loader.begun
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const asked: string[][] = []
    const many = (keys: string[]) =>
      cache.getOrSetMany(keys, async (absent) => {
        asked.push(absent)
        await released
        return new Map(absent.map((key) => [key, `many ${key}`]))
      })
    const [first, second] = [many(['a', 'b', 'c']), many(['c', 'd'])]
    while (asked.length < 2) await sleep(5)
    await cache.delete('a')
    release()
    loader.release('single b')
    expect(await first).toEqual(['many a', 'single b', 'many c'])
    expect(await second).toEqual(['many c', 'many d'])
    expect(await single).toBe('single b')
    expect(asked).toEqual([['a', 'c'], ['d']])
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual([undefined, 'single b', 'many c', 'many d'])
    const fails = cache.getOrSetMany(['x', 'y'], () => Promise.reject(new Error('no')))
    await expect(fails).rejects.toThrow('no')
    expect(await cache.getOrSetMany(['x'], () => new Map([['x', 1]]))).toEqual([1])
  })

  it('lets a value that will not do harm nobody but those who asked for it', async () => {
    const cache = fresh()
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const many = cache.getOrSetMany<unknown>(['good', 'bad'], async () => {
      begin()
      await released
      return new Map<string, unknown>([
        ['good', 1],
        ['bad', () => {}],
      ])
    })
    await begun
    const good = cache.getOrSet('good', () => 'another')
    await sleep(50)
    release()
    await expect(many).rejects.toMatchObject({ field: 'value' })
    expect(await good).toBe(1)
    expect(await cache.getMany(['good', 'bad'])).toEqual([1, undefined])
    expect(await cache.getOrSet('bad', () => 2)).toBe(2)
  })

  it('wraps a function', async () => {
    const cache = fresh()
    const calls: number[] = []
    const work = cache.wrap(
      (id: number) => {
        calls.push(id)
        return { id }
      },
      { key: (id) => `user ${id}`, ttl: 60_000 },
    )
    expect([await work(1), await work(2), await work(1)]).toEqual([{ id: 1 }, { id: 2 }, { id: 1 }])
    expect(calls).toEqual([1, 2])
    expect(await cache.get('user 2')).toEqual({ id: 2 })
  })

  it('leaves nothing behind but entries', async () => {
    const cache = fresh()
    await cache.getOrSet('a', () => 1)
    await cache.getOrSet('b', () => undefined)
    await cache.getOrSet('c', () => Promise.reject(new Error('no'))).catch(() => {})
    const keys: string[] = []
    for await (const key of cache.keys()) keys.push(key)
    expect(keys).toEqual(['a'])
    if (isolation === 'rls') return
    const { schema } = stash
    const namespace = `n${namespaces - 1}`
    expect(await body.sql(`select key from ${schema}.entry where namespace = '${namespace}'`)).toEqual([['a']])
    expect(await body.sql(`select key from ${schema}.lease where namespace = '${namespace}'`)).toEqual([])
  })

  it('refuses what will not do', async () => {
    const cache = fresh()
    const bad: Record<string, unknown>[] = [
      { ttl: 0 },
      { grace: -1 },
      { leaseMs: 99 },
      { maxLoadMs: 0 },
      { softTimeoutMs: -1 },
      { eagerRefresh: 1 },
      { lock: 'none' },
      { forceFresh: 1 },
      { tags: 'a' },
      { signal: {} },
      { misspelt: 1 },
    ]
    for (const options of bad) {
      await expect(cache.getOrSet('k', () => 1, options)).rejects.toBeInstanceOf(InvalidArgumentError)
    }
    await expect(cache.getOrSet('k', 5 as never)).rejects.toMatchObject({ field: 'load' })
    await expect(cache.getOrSet('\0', () => 1)).rejects.toMatchObject({ field: 'key' })
    await expect(cache.getOrSet('k', () => (() => {}) as never)).rejects.toMatchObject({ field: 'value' })
  })
}
