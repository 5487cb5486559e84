import { caching as caching4 } from 'cache-manager4'
import { type Cache, caching, type MemoryConfig, multiCaching, type Store } from 'cache-manager5'
import { createCache as createCache6 } from 'cache-manager6'
import { createCache as createCache7 } from 'cache-manager7'
import Keyv from 'keyv'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type PgCacheManager4Store,
  PgCacheManagerStore,
  pgStore,
  pgStore4,
} from '../../src/adapters/cache-manager/store'
import { KeyvPgStore } from '../../src/adapters/keyv/store'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describeBodies, describeStrictDefaults, freshSchema } from '../support/bodies'
import { sleep } from '../support/sleep'
import { cacheManager5Contract } from './cache-manager5-contract'

describe('cache-manager 5: its own memory store', () => {
  cacheManager5Contract({
    open: async (config) => caching('memory', config as MemoryConfig),
    noExpiry: Number.POSITIVE_INFINITY,
    noEntry: 0,
    hasPatterns: false,
  })
})

const suite = (body: Body) => {
  let stash: PgStash
  let names = 0
  const fresh = () => `n${names++}`

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  describe('5: caching(pgStore, { … })', () => {
    cacheManager5Contract({
      open: async (config) => caching(pgStore, { ...config, stash, namespace: fresh() }),
      noExpiry: -1,
      noEntry: -2,
      hasPatterns: true,
    })
  })

  describe('5: caching(storeObject)', () => {
    cacheManager5Contract({
      open: async (config) => {
        const store: Store = new PgCacheManagerStore({ ...config, stash, namespace: fresh() })
        // Like any store object it is asked for its own options; what is cache-manager's goes beside it.
        return caching(() => store, config) as Promise<Cache<Store>>
      },
      noExpiry: -1,
      noEntry: -2,
      hasPatterns: true,
    })

    it('works as it stands', async () => {
      const cache = await caching(new PgCacheManagerStore({ stash, namespace: fresh() }))
      await cache.set('a', 1)
      expect(await cache.get('a')).toBe(1)
    })
  })

  it('5: multiCaching puts memory in front', async () => {
    const memory = await caching('memory', { max: 10, ttl: 60_000 })
    const durable = await caching(pgStore, { stash, namespace: fresh() })
    const cache = multiCaching([memory, durable])
    await durable.set('a', 1)
    const compute = vi.fn(async () => 2)
    expect(await cache.wrap('a', compute)).toBe(1)
    expect(await memory.get('a')).toBe(1)
    await cache.mset([
      ['b', 2],
      ['c', 3],
    ])
    await memory.reset()
    expect(await cache.mget('b', 'x', 'c')).toEqual([2, undefined, 3])
    await cache.mdel('b')
    expect(await durable.get('b')).toBeUndefined()
    expect(compute).not.toHaveBeenCalled()
  })

  it('5: gives the stash as client, and closes only what it opened', async () => {
    const shared = await caching(pgStore, { stash })
    expect(shared.store.client).toBe(stash)
    await shared.store.disconnect()
    expect(stash.isClosed).toBe(false)
    const own = await caching(pgStore, { ...body.connection(), schema: freshSchema(), ttl: 1_000 })
    await own.set('a', 1)
    await own.store.disconnect()
    await expect(own.get('a')).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
  })

  it('5: asks for the tenant at every call', async () => {
    let tenant: string | undefined = 'a'
    const cache = await caching(pgStore, { stash, namespace: fresh(), tenant: () => tenant })
    await cache.set('k', 'of a')
    tenant = 'b'
    expect(await cache.get('k')).toBeUndefined()
    tenant = undefined
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_TENANT_REQUIRED' })
  })

  // A miss is null in 6, undefined in 7: the host's doing.
  for (const [name, createCache, miss] of [
    ['6', createCache6, null],
    ['7', createCache7, undefined],
  ] as const) {
    it(`${name}: works over Keyv 5`, async () => {
      const cache = createCache({ stores: [new Keyv(new KeyvPgStore(stash, { namespace: fresh() }))], ttl: 60_000 })
      const compute = vi.fn(async () => ({ n: 1 }))
      expect(await cache.wrap('a', compute)).toEqual({ n: 1 })
      expect(await cache.wrap('a', compute)).toEqual({ n: 1 })
      expect(compute).toHaveBeenCalledTimes(1)
      await cache.mset([
        { key: 'b', value: 2, ttl: 60_000 },
        { key: 'c', value: 3, ttl: 60_000 },
        { key: 'brief', value: 4, ttl: 30 },
      ])
      expect(await cache.mget(['b', 'x', 'c'])).toEqual([2, miss, 3])
      expect(((await cache.ttl('b')) as number) - Date.now()).toBeGreaterThan(50_000)
      await sleep(60)
      expect(await cache.get('brief')).toBe(miss)
      await cache.mdel(['a', 'b'])
      expect(await cache.mget(['a', 'b'])).toEqual([miss, miss])
      await cache.set('d', 4)
      await cache.clear()
      expect(await cache.get('d')).toBe(miss)
    })
  }

  describe('4: caching({ store: pgStore4 })', () => {
    const open = (options: object = {}) => caching4({ store: pgStore4, stash, namespace: fresh(), ...options })

    it('answers promises, in seconds', async () => {
      const cache = open({ ttl: 60 })
      await cache.set('a', { n: 1 }, { ttl: 100 })
      await cache.set('b', 2)
      expect(await cache.get('a')).toEqual({ n: 1 })
      const store = cache.store as unknown as PgCacheManager4Store
      expect(await store.ttl('a')).toBeGreaterThan(90)
      expect(await store.ttl('b')).toBeGreaterThan(50)
      expect(await store.ttl('x')).toBe(-2)
      await store.mset('c', 3, 'd', 4, { ttl: 100 })
      expect(await store.mget('d', 'x', 'c')).toEqual([4, undefined, 3])
      expect(await store.keys('[cd]')).toEqual(['c', 'd'])
      await store.del('a', 'b')
      expect(await store.mget('a', 'b', 'c')).toEqual([undefined, undefined, 3])
      await expect(store.mget(1, 'b')).rejects.toMatchObject({ field: 'key' })
      await cache.reset()
      expect(await store.keys()).toEqual([])
    })

    it('answers callbacks', async () => {
      const cache = open()
      const set = await told((done) => cache.set('a', 1, { ttl: 100 }, done))
      const got = await told((done) => cache.get('a', done))
      const failed = await told((done) => cache.get('nul\0', done))
      expect([set, got]).toEqual([
        [null, undefined],
        [null, 1],
      ])
      expect(failed[0]).toMatchObject({ code: 'ERR_PGSTASH_INVALID_ARGUMENT' })
    })

    it('wraps, one key and many', async () => {
      const cache = open()
      const compute = vi.fn(async () => ({ n: 1 }))
      expect(await cache.wrap('a', compute, { ttl: 10 })).toEqual({ n: 1 })
      expect(await cache.wrap('a', compute, { ttl: 10 })).toEqual({ n: 1 })
      expect(compute).toHaveBeenCalledTimes(1)
      const many = vi.fn((done: (error: unknown, values?: number[]) => void) => done(null, [1, 2]))
      const wrapMany = () =>
        told((done) => (cache.wrap as (...args: unknown[]) => void)('x', 'y', many, { ttl: 10 }, done))
      expect(await wrapMany()).toEqual([null, [1, 2]])
      expect(await wrapMany()).toEqual([null, [1, 2]])
      expect(many).toHaveBeenCalledTimes(1)
    })
  })
}

describeBodies('cache-manager', suite)
describeStrictDefaults('cache-manager', suite)

function told(call: (done: (...result: unknown[]) => void) => void): Promise<unknown[]> {
  return new Promise((resolve) => call((...result) => resolve(result)))
}
