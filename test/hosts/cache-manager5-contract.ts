import type { Cache, FactoryConfig, Store } from 'cache-manager5'
import { expect, it, vi } from 'vitest'
import { sleep } from '../support/sleep'

/** What a contract run needs to know of a store. */
export interface StoreUnderTest {
  /** A cache on a store of its own, empty. */
  open(config?: FactoryConfig<object>): Promise<Cache<Store>>
  /** cache-manager's memory store answers `ttl` in lru-cache's way: Infinity for no expiry, 0 for no entry. */
  readonly noExpiry: number
  readonly noEntry: number
  /** Whether `keys` takes a pattern: the memory store ignores it. */
  readonly hasPatterns: boolean
}

/**
 * What cache-manager 5 expects of a store: read from its source and types, and run against its own memory store, so that it is
 * known to be right.
 */
export function cacheManager5Contract({ open, noExpiry, noEntry, hasPatterns }: StoreUnderTest): void {
  it('has every method of the Store type', async () => {
    const { store } = await open()
    for (const name of ['get', 'set', 'del', 'reset', 'mset', 'mget', 'mdel', 'keys', 'ttl'] as const) {
      expect(store[name], name).toBeTypeOf('function')
    }
  })

  it('gives undefined for a miss, and nothing for a write', async () => {
    const cache = await open()
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.set('a', 1)).toBeUndefined()
    expect(await cache.del('a')).toBeUndefined()
    expect(await cache.del('a')).toBeUndefined()
    expect(await cache.reset()).toBeUndefined()
    expect(await cache.store.mset([['a', 1]])).toBeUndefined()
    expect(await cache.store.mdel('a', 'b')).toBeUndefined()
  })

  it('round-trips values, null and falsy ones too', async () => {
    const cache = await open()
    for (const value of ['text', '', '"', 0, 1.5, false, null, { deep: [1, { a: null }] }, []]) {
      await cache.set('a', value)
      expect(await cache.get('a')).toEqual(value)
    }
  })

  it('does not hand out what the caller goes on to change', async () => {
    const cache = await open()
    const value = { n: 1 }
    await cache.set('a', value)
    value.n = 2
    expect(await cache.get('a')).toEqual({ n: 1 })
  })

  it('takes batches in the order of the caller', async () => {
    const { store } = await open()
    await store.mset([
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ])
    expect(await store.mget('b', 'x', 'a')).toEqual([2, undefined, 3])
    await store.mdel('a', 'x')
    expect(await store.mget('a', 'b')).toEqual([undefined, 2])
  })

  it('takes a ttl in milliseconds, 0 for ever, and its default from the options', async () => {
    const cache = await open({ ttl: 60 })
    await cache.set('default', 1)
    await cache.set('long', 1, 60_000)
    await cache.set('ever', 1, 0)
    await cache.store.mset([['batch', 1]], 60_000)
    await cache.store.mset([['batch default', 1]])
    expect(await cache.store.ttl('long')).toBeGreaterThan(50_000)
    expect(await cache.store.ttl('batch')).toBeGreaterThan(50_000)
    expect(await cache.store.ttl('ever')).toBe(noExpiry)
    expect(await cache.store.ttl('nothing')).toBe(noEntry)
    await sleep(100)
    expect(await cache.store.mget('default', 'batch default', 'long', 'ever')).toEqual([undefined, undefined, 1, 1])
  })

  it('keeps entries for ever where nothing says otherwise', async () => {
    const cache = await open()
    await cache.set('a', 1)
    expect(await cache.store.ttl('a')).toBe(noExpiry)
  })

  it('lists keys, and forgets them by reset', async () => {
    const cache = await open()
    await cache.store.mset([
      ['user:1', 1],
      ['user:2', 2],
      ['post:1', 3],
    ])
    expect((await cache.store.keys()).sort()).toEqual(['post:1', 'user:1', 'user:2'])
    if (hasPatterns) {
      expect((await cache.store.keys('user:*')).sort()).toEqual(['user:1', 'user:2'])
      expect((await cache.store.keys('*:[1]')).sort()).toEqual(['post:1', 'user:1'])
    }
    await cache.reset()
    expect(await cache.store.keys()).toEqual([])
  })

  it('throws for what is not cacheable, undefined by default', async () => {
    const cache = await open()
    await expect(cache.set('a', undefined)).rejects.toThrow(/cacheable/)
    await expect(cache.store.mset([['a', undefined]])).rejects.toThrow(/cacheable/)
    const picky = await open({ isCacheable: (value) => value !== null && value !== 'no' })
    await expect(picky.set('a', 'no')).rejects.toThrow(/cacheable/)
    await expect(picky.store.mset([['b', null]])).rejects.toThrow(/cacheable/)
    expect(await picky.get('a')).toBeUndefined()
    await picky.set('a', 'yes')
    expect(await picky.get('a')).toBe('yes')
  })

  it('wraps: computes once, then reads', async () => {
    const cache = await open()
    const compute = vi.fn(async () => ({ n: 1 }))
    expect(await cache.wrap('a', compute)).toEqual({ n: 1 })
    expect(await cache.wrap('a', compute)).toEqual({ n: 1 })
    expect(await Promise.all([cache.wrap('b', compute), cache.wrap('b', compute)])).toHaveLength(2)
    expect(compute).toHaveBeenCalledTimes(2)
  })

  it('wraps null as a value, and passes on what is not cacheable', async () => {
    const cache = await open()
    const compute = vi.fn(async () => null)
    await cache.wrap('null', compute)
    expect(await cache.wrap('null', compute)).toBeNull()
    expect(compute).toHaveBeenCalledTimes(1)
    const errors = vi.fn()
    cache.on('error', errors)
    expect(await cache.wrap('nothing', async () => undefined)).toBeUndefined()
    expect(errors).toHaveBeenCalledTimes(1)
  })

  it('wraps with a ttl computed from the value', async () => {
    const cache = await open()
    await cache.wrap(
      'a',
      async () => 50_000,
      (value) => value as number,
    )
    expect(await cache.store.ttl('a')).toBeGreaterThan(40_000)
  })

  it('refreshes in the background below refreshThreshold', async () => {
    const cache = await open({ refreshThreshold: 5_000 })
    let count = 0
    const compute = async () => ++count
    expect(await cache.wrap('a', compute, 3_000)).toBe(1)
    expect(await cache.wrap('a', compute, 60_000)).toBe(1)
    await vi.waitFor(async () => expect(await cache.get('a')).toBe(2), { timeout: 5_000 })
    expect(await cache.wrap('a', compute, 60_000)).toBe(2)
    await sleep(50)
    expect(count).toBe(2)
  })

  it('does not refresh what never expires', async () => {
    const cache = await open({ refreshThreshold: 5_000 })
    let count = 0
    const compute = async () => ++count
    await cache.wrap('a', compute, 0)
    await cache.wrap('a', compute, 0)
    await sleep(50)
    expect(count).toBe(1)
  })
}
