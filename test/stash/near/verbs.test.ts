import { afterEach, describe, expect, it } from 'vitest'
import type { NearOptions, PgStashOptions } from '../../../src/stash/options/told'
import type { PgStash } from '../../../src/stash/pg-stash'
import { describeEveryBody } from '../../support/bodies'
import { sleep } from '../../support/sleep'
import { warmed } from './warmed'

async function hitsOf(stash: PgStash, work: () => Promise<unknown>): Promise<number> {
  const { hits } = stash.near.stats()
  await work()
  return stash.near.stats().hits - hits
}

describeEveryBody('what is held near', (body) => {
  let schema: string | undefined
  let namespaces = 0
  const opened: PgStash[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((stash) => stash.close()))
  })
  /** Each in a namespace of its own. */
  const open = (near: boolean | NearOptions = true, options: PgStashOptions = {}) => {
    const stash = body.open({ sweeper: false, ...options, ...(schema === undefined ? {} : { schema }) })
    schema = stash.schema
    opened.push(stash)
    namespaces += 1
    return { stash, cache: stash.namespace(`views${namespaces}`, { near }) }
  }
  const heldOf = async (near: boolean | NearOptions = true, value: unknown = { count: 1 }) => {
    const { stash, cache } = open(near)
    await cache.set('home', value)
    await warmed(stash, cache, 'home')
    return { stash, cache }
  }

  it('is answered without the database', async () => {
    const { stash, cache } = await heldOf()
    const { operations } = stash.metrics()
    const calls = () => stash.metrics().operations.reduce((sum, one) => sum + one.calls, 0)
    const before = calls()
    expect(await cache.get('home')).toEqual({ count: 1 })
    expect(await cache.getMany(['home'])).toEqual([{ count: 1 }])
    expect(await cache.has('home')).toBe(true)
    expect(await cache.ttl('home')).toBe(null)
    expect(await cache.getEntry('home')).toMatchObject({ value: { count: 1 }, expiresAt: null })
    expect(calls()).toBe(before)
    expect(operations.length).toBeGreaterThan(0)
  })

  it.each(['set', 'delete', 'take', 'increment', 'clear', 'prefix', 'tenant', 'touch', 'many'])(
    'follows what this process does: %s',
    async (verb) => {
      const { stash, cache } = await heldOf(true, 1)
      const done = {
        set: () => cache.set('home', 2),
        delete: () => cache.delete('home'),
        take: () => cache.take('home'),
        increment: () => cache.increment('home'),
        clear: () => cache.clear(),
        prefix: () => cache.deleteByPrefix('ho'),
        tenant: () => stash.tenant('default').clear(),
        touch: () => cache.touch('home', 60_000),
        many: () => cache.setMany([{ key: 'home', value: 2 }]),
      }[verb]
      const doing = done?.()
      // Asked after it, awaited or not.
      const after = { set: 2, increment: 2, many: 2, touch: 1 }[verb]
      expect(await cache.get('home')).toBe(after)
      await doing
      expect(await cache.get('home')).toBe(after)
      if (verb === 'touch') expect(await cache.ttl('home')).toBeGreaterThan(50_000)
    },
  )

  it('writes through', async () => {
    const { stash, cache } = await heldOf()
    await cache.set('home', { count: 2 })
    expect(await hitsOf(stash, () => cache.get('home'))).toBe(1)
    expect(await cache.get('home')).toEqual({ count: 2 })
    // The row of its own in the log takes nothing away.
    await stash.near.sync()
    expect(await hitsOf(stash, () => cache.get('home'))).toBe(1)
  })

  it('is a copy for each, or frozen for all', async () => {
    const { cache } = await heldOf()
    const [a, b] = [await cache.get('home'), await cache.get('home')]
    expect(a).not.toBe(b)
    const frozen = await heldOf({ values: 'frozen' }, { list: [{ deep: true }] })
    const [c, d] = [await frozen.cache.get('home'), await frozen.cache.get('home')]
    expect(c).toBe(d)
    expect(Object.isFrozen((c as { list: object[] }).list[0])).toBe(true)
  })

  it('knows bytes, texts and numbers', async () => {
    for (const value of [Buffer.from('bytes'), 'text', 7, 1.5, null, true]) {
      const { cache } = await heldOf({ values: 'frozen' }, value)
      expect(await cache.get('home')).toEqual(value)
      expect(await cache.get('home')).toEqual(value)
    }
  })

  it('ends with the entry, and not later', async () => {
    const { stash, cache } = await heldOf()
    await cache.set('brief', 1, { ttl: 150 })
    expect(await cache.get('brief')).toBe(1)
    expect(await cache.ttl('brief')).toBeLessThanOrEqual(150)
    await sleep(160)
    expect(await cache.get('brief')).toBeUndefined()
    expect(stash.near.stats().entries).toBe(1)
  })

  it('remembers that there is nothing where that is asked for', async () => {
    const { stash, cache } = await heldOf({ absentTtl: 5_000 })
    expect(await cache.get('none')).toBeUndefined()
    expect(await hitsOf(stash, () => cache.get('none'))).toBe(1)
    expect(await cache.has('none')).toBe(false)
    expect(await cache.getEntry('none')).toBeUndefined()
    await cache.set('none', 1)
    expect(await cache.get('none')).toBe(1)
  })

  it('asks the database where it is told to', async () => {
    const { stash, cache } = await heldOf()
    expect(await hitsOf(stash, () => cache.get('home', { fresh: true }))).toBe(0)
    const { version } = (await cache.getEntry('home')) ?? { version: 0 }
    expect(await hitsOf(stash, () => cache.get('home', { minVersion: version }))).toBe(1)
    expect(await hitsOf(stash, () => cache.get('home', { minVersion: version + 1 }))).toBe(0)
    // @ts-expect-error
    await expect(cache.get('home', { fresh: 'yes' })).rejects.toThrow('fresh must be true or false')
    await expect(cache.get('home', { minVersion: -1 })).rejects.toThrow('minVersion must be')
    await expect(cache.get('home', { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
  })

  it('takes keys as they are: long ones, and those that look like the digest of one', async () => {
    const { stash, cache } = await heldOf()
    const long = 'k'.repeat(2_000)
    await cache.set(long, 'long')
    expect(await cache.get(long)).toBe('long')
    expect(await hitsOf(stash, () => cache.get(long))).toBe(1)
    const { createHash } = await import('node:crypto')
    const digest = `#sha256:${createHash('sha256').update(long).digest('hex')}`
    expect(await cache.get(digest)).toBeUndefined()
    // @ts-expect-error
    await expect(cache.get(1)).rejects.toThrow('key must be a string')
  })

  it('is bounded by entries and by bytes', async () => {
    const { stash, cache } = open(true, { near: { maxEntries: 10, maxBytes: 640_000 } })
    await cache.set('home', 1)
    await warmed(stash, cache, 'home')
    for (let at = 0; at < 30; at += 1) await cache.set(`k${at}`, at)
    expect(stash.near.stats().entries).toBe(10)
    // Over a share of 64 it goes past memory, and removes what it replaces.
    await cache.set('k29', 'x'.repeat(20_000))
    expect(await hitsOf(stash, () => cache.get('k29'))).toBe(0)
    expect(stash.near.stats().bytes).toBeLessThan(640_000)
  })

  it('forgets when asked, and counts', async () => {
    const { stash, cache } = await heldOf()
    expect(stash.near.stats()).toMatchObject({ entries: 1, warming: 0 })
    expect(stash.near.stats().checkedMsAgo).toBeLessThan(1_000)
    stash.near.clear()
    expect(stash.near.stats().entries).toBe(0)
    expect(await hitsOf(stash, () => cache.get('home'))).toBe(0)
    expect(await hitsOf(stash, () => cache.get('home'))).toBe(1)
  })

  it('is over with the stash', async () => {
    const { stash, cache } = await heldOf()
    await stash.close()
    await expect(cache.get('home')).rejects.toThrow('closed')
    await expect(stash.near.sync()).rejects.toThrow('closed')
  })

  describe('beside another stash', () => {
    const two = async () => {
      const a = await heldOf()
      const other = body.open({ schema: a.stash.schema, sweeper: false })
      opened.push(other)
      const b = { stash: other, cache: other.namespace(`views${namespaces}`, { near: true }) }
      await warmed(b.stash, b.cache, 'home')
      return { a, b }
    }

    it.each(['near', 'not near', 'tenant', 'clear', 'prefix', 'delete'])(
      'hears of what that wrote: %s',
      async (how) => {
        const { a, b } = await two()
        const plain = b.stash.namespace(`views${namespaces}`)
        const done = {
          near: () => b.cache.set('home', 2),
          'not near': () => plain.set('home', 2),
          tenant: () => b.stash.tenant('default').clear(),
          clear: () => plain.clear(),
          prefix: () => b.cache.deleteByPrefix('h'),
          delete: () => plain.delete('home'),
        }[how]
        await done?.()
        await a.stash.near.sync()
        expect(await a.cache.get('home')).toBe(how.endsWith('near') ? 2 : undefined)
      },
    )

    it('sees it within the bound without being asked', async () => {
      const { a, b } = await two()
      await b.cache.set('home', 2)
      await sleep(1_100)
      expect(await a.cache.get('home')).toBe(2)
    })

    it('sees what it is told to wait for', async () => {
      const { a, b } = await two()
      const { version } = await b.cache.set('home', 2)
      expect(await a.cache.get('home', { minVersion: version })).toBe(2)
      expect(await a.cache.get('home')).toBe(2)
    })

    it('takes a handle of its own that is not near for another process', async () => {
      const { a } = await two()
      await a.stash.namespace(`views${namespaces}`).set('home', 3)
      await a.stash.near.sync()
      expect(await a.cache.get('home')).toBe(3)
    })
  })
})
