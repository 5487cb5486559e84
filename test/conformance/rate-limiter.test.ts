import { beforeAll, describe, expect, it } from 'vitest'
import { type Algorithm, RateLimiter, type RateLimiterOptions } from '../../src/stash/limits/rate-limiter'
import { type RateLimitResult, rateLimitHeaders } from '../../src/stash/limits/result'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeEveryBody } from '../support/bodies'
import { sleep } from '../support/sleep'

const algorithms: readonly Algorithm[] = ['fixed-window', 'sliding-window', 'gcra']

const hourMs = 3_600_000

for (const isolation of ['column', 'rls'] as const) {
  describeEveryBody(`RateLimiter, tenants apart by ${isolation}`, (body) => {
    let stash: PgStash
    let names = 0

    beforeAll(async () => {
      stash = isolation === 'rls' ? await body.openIsolated() : body.open()
      await stash.ready()
    })

    /** Each with a name of its own, so that no test sees what another counted. */
    const limiterOf = (options: RateLimiterOptions) => {
      names += 1
      return new RateLimiter({ stash, name: `limiter-${names}`, ...options })
    }

    describe.each(algorithms)('%s', (algorithm) => {
      const hourly = (limit: number, options: RateLimiterOptions = {}) =>
        limiterOf({ limit, windowMs: hourMs, algorithm, ...options })

      it('allows as many as the limit, one after the other', async () => {
        const limiter = hourly(3)
        const results = []
        for (let hit = 0; hit < 5; hit += 1) results.push(await limiter.consume('a'))
        expect(results.map(({ isAllowed }) => isAllowed)).toEqual([true, true, true, false, false])
        expect(results.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0, 0])
        expect(results.map(({ used }) => used)).toEqual([1, 2, 3, 3, 3])
        expect(results[2]?.retryAfterMs).toBe(0)
        const { retryAfterMs } = results[3] as { retryAfterMs: number }
        expect(retryAfterMs).toBeGreaterThan(0)
        // GCRA gives one back after a third of the window.
        expect(retryAfterMs).toBeLessThanOrEqual(algorithm === 'gcra' ? hourMs / 3 : hourMs * 2)
      })

      it('allows exactly as many of a crowd, and gives each its own place', async () => {
        const limiter = hourly(100)
        const results = await Promise.all(Array.from({ length: 250 }, () => limiter.consume('a')))
        const allowed = results.filter(({ isAllowed }) => isAllowed)
        expect(allowed).toHaveLength(100)
        const places = allowed.map(({ used }) => used).sort((a, b) => a - b)
        expect(places).toEqual(Array.from({ length: 100 }, (_, at) => at + 1))
      })

      it('allows exactly as many of each of 50 callers at once', async () => {
        const limiter = hourly(7)
        const callers = Array.from({ length: 50 }, (_, at) => `caller-${at}`)
        const hits = callers.flatMap((caller) => Array.from({ length: 12 }, () => caller))
        const results = await Promise.all(hits.map(async (caller) => [caller, await limiter.consume(caller)] as const))
        for (const caller of callers) {
          expect(results.filter(([who, { isAllowed }]) => who === caller && isAllowed)).toHaveLength(7)
        }
      })

      it('weighs hits, and lets a light one in where a heavy one does not fit', async () => {
        const limiter = hourly(10, { denyCache: false })
        expect((await limiter.consume('a', { cost: 7 })).isAllowed).toBe(true)
        expect((await limiter.consume('a', { cost: 4 })).isAllowed).toBe(false)
        expect(await limiter.consume('a', { cost: 3 })).toMatchObject({ isAllowed: true, used: 10, remaining: 0 })
        expect((await limiter.consume('a')).isAllowed).toBe(false)
      })

      it('weighs hits of several weights at once', async () => {
        const limiter = hourly(100, { denyCache: false })
        const costs = Array.from({ length: 60 }, (_, at) => (at % 5) + 1)
        const results = await Promise.all(costs.map((cost) => limiter.consume('a', { cost })))
        const spent = results.reduce((sum, { isAllowed }, at) => sum + (isAllowed ? (costs[at] as number) : 0), 0)
        expect(spent).toBe(100)
      })

      it('never lets in what weighs more than the whole limit', async () => {
        const limiter = hourly(3)
        expect((await limiter.consume('a', { cost: 4 })).isAllowed).toBe(false)
        expect(await limiter.consume('a')).toMatchObject({ isAllowed: true, used: 1 })
        expect((await hourly(0).consume('a')).isAllowed).toBe(false)
      })

      it('peeks without counting', async () => {
        const limiter = hourly(2)
        expect(await limiter.peek('a')).toMatchObject({ isAllowed: true, used: 0, remaining: 2 })
        await limiter.consume('a')
        for (let look = 0; look < 3; look += 1) {
          expect(await limiter.peek('a')).toMatchObject({ isAllowed: true, used: 1, remaining: 1 })
        }
        await limiter.consume('a')
        expect(await limiter.peek('a')).toMatchObject({ isAllowed: false, used: 2, remaining: 0 })
      })

      it('adds by penalty beyond the limit, takes back by reward, never below none', async () => {
        const limiter = hourly(5)
        expect(await limiter.penalty('a', 4)).toMatchObject({ isAllowed: true, remaining: 1 })
        expect(await limiter.penalty('a', 4)).toMatchObject({ isAllowed: false, used: 8, remaining: 0 })
        expect((await limiter.consume('a')).isAllowed).toBe(false)
        expect(await limiter.reward('a', 4)).toMatchObject({ isAllowed: true, used: 4, remaining: 1 })
        expect((await limiter.consume('a')).isAllowed).toBe(true)
        expect(await limiter.reward('a', 100)).toMatchObject({ used: 0, remaining: 5 })
        expect(await limiter.reward('nobody')).toMatchObject({ used: 0, remaining: 5 })
        const results = await Promise.all(Array.from({ length: 9 }, () => limiter.consume('a')))
        expect(results.filter(({ isAllowed }) => isAllowed)).toHaveLength(5)
      })

      it('forgets one caller by reset, and all by clear', async () => {
        const limiter = hourly(1)
        for (const caller of ['a', 'b', 'c']) await limiter.consume(caller)
        await limiter.reset('a')
        expect((await limiter.consume('a')).isAllowed).toBe(true)
        expect((await limiter.consume('b')).isAllowed).toBe(false)
        await limiter.clear()
        for (const caller of ['a', 'b', 'c']) expect((await limiter.consume(caller)).isAllowed).toBe(true)
      })

      it('counts the callers of each tenant apart', async () => {
        const [acme, globex] = ['acme', 'globex'].map((tenant) =>
          limiterOf({ name: `shared-${algorithm}`, tenant, limit: 1, windowMs: hourMs, algorithm }),
        ) as [RateLimiter, RateLimiter]
        expect((await acme.consume('a')).isAllowed).toBe(true)
        expect((await acme.consume('a')).isAllowed).toBe(false)
        expect((await globex.consume('a')).isAllowed).toBe(true)
        await globex.clear()
        expect((await acme.peek('a')).isAllowed).toBe(false)
      })

      it('counts long keys, and those that are hardly keys', async () => {
        const limiter = hourly(1)
        for (const key of ['x'.repeat(5_000), '', '#sha256:x', '😀', "'"]) {
          expect((await limiter.consume(key)).isAllowed).toBe(true)
          expect((await limiter.consume(key)).isAllowed).toBe(false)
        }
      })
    })

    it('has several limits at once: a hit counts in all of them, or in none', async () => {
      const limiter = limiterOf({
        limits: [
          { limit: 3, windowMs: 60_000 },
          { limit: 5, windowMs: hourMs, algorithm: 'gcra', name: 'hour' },
        ],
        denyCache: false,
      })
      const results = await Promise.all(Array.from({ length: 8 }, () => limiter.consume('a')))
      expect(results.filter(({ isAllowed }) => isAllowed)).toHaveLength(3)
      const { limits } = await limiter.peek('a')
      // The five that were denied by the minute are not counted in the hour.
      expect(limits.map(({ name, used, remaining }) => [name, used, remaining])).toEqual([
        [`${limiter.name}-1`, 3, 0],
        ['hour', 3, 2],
      ])
      await limiter.reset('a')
      expect((await limiter.consume('a')).limits.map(({ used }) => used)).toEqual([1, 1])
    })

    it('has several limits at once for a crowd of callers', async () => {
      const limits = [
        { limit: 4, windowMs: 60_000, algorithm: 'sliding-window' as const },
        { limit: 6, windowMs: hourMs },
      ]
      const limiter = limiterOf({ limits })
      const callers = Array.from({ length: 40 }, (_, at) => `caller-${at}`)
      const hits = callers.flatMap((caller) => Array.from({ length: 9 }, () => caller))
      const results = await Promise.all(hits.map((caller) => limiter.consume(caller)))
      expect(results.filter(({ isAllowed }) => isAllowed)).toHaveLength(160)
    })

    it('keeps program order between a hit and what takes it back, with several limits and blocks too', async () => {
      const limits = [
        { limit: 3, windowMs: 60_000 },
        { limit: 9, windowMs: hourMs },
      ]
      const limiter = limiterOf({ limits, block: { blockMs: 60_000 } })
      for (let round = 0; round < 20; round += 1) {
        const hit = limiter.consume('a')
        const reset = limiter.reset('a')
        const looked = limiter.peek('a')
        await Promise.all([hit, reset])
        expect(await looked).toMatchObject({ used: 0, isAllowed: true })
      }
      const hits = [limiter.consume('a'), limiter.consume('a')]
      const cleared = limiter.clear()
      await Promise.all([...hits, cleared])
      expect(await limiter.peek('a')).toMatchObject({ used: 0 })
    })

    it('calls nobody blocked who was allowed, also in the batch whose last hit begins the block', async () => {
      const limiter = limiterOf({ limit: 2, windowMs: 60_000, block: { blockMs: 50_000 } })
      const [first, second, third] = await Promise.all([1, 2, 3].map(() => limiter.consume('crowd')))
      expect(first).toMatchObject({ isAllowed: true, isBlocked: false, retryAfterMs: 0 })
      expect(second).toMatchObject({ isAllowed: true, isBlocked: false, remaining: 0 })
      expect(second?.resetMs).toBeGreaterThan(50_000)
      expect(third).toMatchObject({ isAllowed: false, isBlocked: true })
    })

    it('promises no earlier moment by RateLimit than by Retry-After', async () => {
      const limiter = limiterOf({ limit: 1, windowMs: 2_000, algorithm: 'sliding-window' })
      const results = []
      for (let hit = 0; hit < 3; hit += 1) results.push(await limiter.consume('headers'))
      const denied = rateLimitHeaders(results[2] as RateLimitResult)
      const [, reset] = /;t=(\d+)$/.exec(denied.RateLimit as string) ?? []
      expect(Number(reset)).toBeGreaterThanOrEqual(Number(denied['Retry-After']))
    })

    // Their waiting goes by together.
    it.concurrent.each(algorithms)('%s: lets in again after the time it told', async (algorithm) => {
      const limiter = limiterOf({ limit: 2, windowMs: 300, algorithm })
      for (let round = 0; round < 3; round += 1) {
        let result = await limiter.consume('a')
        while (result.isAllowed) result = await limiter.consume('a')
        await sleep(result.retryAfterMs + 2)
        expect((await limiter.consume('a')).isAllowed).toBe(true)
      }
    })

    it.concurrent('blocks whoever exceeds, longer each time, and forgets', async () => {
      const limiter = limiterOf({
        limit: 2,
        windowMs: 100,
        block: { blockMs: 700, maxBlockMs: 1_400, forgetMs: 1_200 },
        denyCache: false,
      })
      const exceed = async () => {
        let result = await limiter.consume('a')
        while (result.isAllowed) result = await limiter.consume('a')
        return result
      }
      const first = await exceed()
      expect(first).toMatchObject({ isBlocked: true, strikes: 1 })
      expect(first.retryAfterMs).toBeGreaterThan(650)
      await sleep(150)
      // The window is over, the block is not, and a denial within it makes it no longer.
      expect(await limiter.consume('a')).toMatchObject({ isAllowed: false, strikes: 1 })
      expect((await limiter.peek('a')).isAllowed).toBe(false)
      await sleep(570)
      expect((await limiter.peek('a')).isAllowed).toBe(true)
      const second = await exceed()
      expect(second.strikes).toBe(2)
      expect(second.retryAfterMs).toBeGreaterThan(1_300)
      await limiter.reset('a')
      expect((await limiter.consume('a')).isAllowed).toBe(true)
    })

    it.concurrent('forgets blocks that are long ago', async () => {
      const limiter = limiterOf({ limit: 0, windowMs: 50, block: { blockMs: 50, maxBlockMs: 400, forgetMs: 1 } })
      for (let round = 0; round < 3; round += 1) {
        expect((await limiter.consume('a')).strikes).toBe(1)
        await sleep(70)
      }
    })

    it.concurrent('has nothing to take back of a window that is over, and begins none by that', async () => {
      const limiter = limiterOf({ limit: 3, windowMs: 1_000 })
      await limiter.consume('late')
      await sleep(1_050)
      expect(await limiter.reward('late')).toMatchObject({ used: 0, remaining: 3 })
      await sleep(300)
      expect((await limiter.consume('late')).resetMs).toBeGreaterThan(900)
    })

    it('is swept when it means nothing any more', async () => {
      const limiter = limiterOf({ limit: 5, windowMs: 20 })
      await Promise.all(Array.from({ length: 30 }, (_, at) => limiter.consume(`caller-${at}`)))
      await sleep(40)
      if (isolation === 'rls') return
      expect((await stash.sweep()).rateLimits).toBeGreaterThanOrEqual(30)
      expect(
        await body.sql(`select count(*)::int from ${stash.schema}.counter where namespace like '${limiter.name}/%'`),
      ).toEqual([[0]])
    })

    it('tells headers', async () => {
      const limiter = limiterOf({ name: `say-"${names}"`, limit: 1, windowMs: 90_000 })
      const name = limiter.name.replaceAll('"', '\\"')
      expect(rateLimitHeaders(await limiter.consume('a'))).toEqual({
        'RateLimit-Policy': `"${name}";q=1;w=90`,
        RateLimit: `"${name}";r=0;t=90`,
      })
      expect(rateLimitHeaders(await limiter.consume('a'))).toEqual({
        'RateLimit-Policy': `"${name}";q=1;w=90`,
        RateLimit: expect.stringMatching(/;r=0;t=(89|90)$/),
        'Retry-After': expect.stringMatching(/^(89|90)$/),
      })
    })
  })
}

describe('bad input of limiters', () => {
  it.each([
    ['limit', {}],
    ['limit', { limit: 1.5, windowMs: 1 }],
    ['limit', { limit: -1, windowMs: 1 }],
    ['windowMs', { limit: 1 }],
    ['windowMs', { limit: 1, windowMs: 0 }],
    ['algorithm', { limit: 1, windowMs: 1, algorithm: 'leaky' }],
    ['limits', { limits: [] }],
    [
      'limits',
      {
        limits: [
          { limit: 1, windowMs: 5 },
          { limit: 2, windowMs: 5 },
        ],
      },
    ],
    ['block.blockMs', { limit: 1, windowMs: 1, block: {} }],
    ['limit', { limit: 1_000, windowMs: 1, algorithm: 'gcra' }],
    ['onError', { limit: 1, windowMs: 1, onError: 'maybe' }],
    ['denyCache', { limit: 1, windowMs: 1, denyCache: true }],
    ['denyCache.maxKeys', { limit: 1, windowMs: 1, denyCache: { maxKeys: -1 } }],
    ['name', { limit: 1, windowMs: 1, name: '' }],
    ['options', { limit: 1, windowMs: 1, prefix: 'x' }],
    ['block', { limit: 1, windowMs: 1, block: 1_000 }],
    ['block.maxBlockMs', { limit: 1, windowMs: 1, block: { blockMs: 5, maxBlockMs: 1 } }],
    ['denyCache', { limit: 1, windowMs: 1, denyCache: { max: 5 } }],
    ['limit and limits', { limit: 1, limits: [{ limit: 1, windowMs: 5 }] }],
    ['tenant', { limit: 1, windowMs: 1, tenant: '' }],
    ['stash', { limit: 1, windowMs: 1, stash: {} }],
  ])('names %s', (field, options) => {
    expect(() => new RateLimiter({ connectionString: 'postgres://nowhere.invalid', ...options } as never)).toThrow(
      expect.objectContaining({ field, code: 'ERR_PGSTASH_INVALID_ARGUMENT' }),
    )
  })

  it('names what is wrong with a call, before anything is sent', async () => {
    const limiter = new RateLimiter({ connectionString: 'postgres://nowhere.invalid', limit: 1, windowMs: 1 })
    await expect(limiter.consume(undefined as never)).rejects.toMatchObject({ field: 'key' })
    await expect(limiter.consume(5 as never)).rejects.toMatchObject({ field: 'key' })
    await expect(limiter.consume('a', { cost: 0 })).rejects.toMatchObject({ field: 'cost' })
    await expect(limiter.penalty('a', -1)).rejects.toMatchObject({ field: 'hits' })
    await expect(limiter.consume('a', 5 as never)).rejects.toMatchObject({ field: 'options' })
    await expect(limiter.consume('a', { costs: 5 } as never)).rejects.toMatchObject({ field: 'options' })
    const nobody = new RateLimiter({
      connectionString: 'postgres://nowhere.invalid',
      limit: 1,
      windowMs: 1,
      tenant: () => undefined,
    })
    await expect(nobody.consume('a')).rejects.toMatchObject({ code: 'ERR_PGSTASH_TENANT_REQUIRED' })
    await limiter.close()
    await nobody.close()
  })
})
