import 'reflect-metadata'
import fastifyRateLimit from '@fastify/rate-limit'
import { ThrottlerStorageService } from '@nestjs/throttler'
import { MemoryStore, type Options, rateLimit } from 'express-rate-limit'
import Fastify from 'fastify'
import { MemoryStore as HonoMemoryStore, rateLimiter } from 'hono-rate-limiter'
import { beforeAll, describe, expect, it } from 'vitest'
import { PgRateLimitStore } from '../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { PgThrottlerStorage } from '../../src/adapters/nestjs-throttler'
import type { PgStash } from '../../src/stash/pg-stash'
import { describePostgres } from '../support/bodies'
import { expressApp, fastifyApp, honoApp, type LimitedApp, nestApp } from '../support/limit-hosts'

/** Whom a host may hand over, each to be counted apart from the others. */
const callers: readonly [string, unknown][] = [
  ['a number', 42],
  ['undefined', undefined],
  ['null', null],
  ['a boolean', true],
  ['the empty text', ''],
  ['NUL', 'a\0b'],
  ['NUL, spelled', 'a\\u0000b'],
  ['half a surrogate pair', 'a\ud800'],
  ['the other half', 'a\udc00'],
  ['what UTF-8 makes of both', 'a\ufffd'],
  ['what other encodings lack', 'ねこ'],
  ['50,000 characters', 'é'.repeat(50_000)],
  ['50,000 of them, one other', `${'é'.repeat(49_999)}e`],
  ['a digest', `#sha256:${'0'.repeat(64)}`],
]

const anyKey = (key: unknown) => key as string
const huge = 2 ** 31 + 0.5
const { POSITIVE_INFINITY: infinity, NaN: notANumber, MAX_SAFE_INTEGER: safest } = Number

interface Case {
  readonly limit: unknown
  readonly window: unknown
  /** Of Nest: the block. */
  readonly block?: unknown
  /** Refused: nobody is let in, though the host's own store counts, or counts nothing. */
  readonly isRefused?: boolean
}

const limits: readonly unknown[] = [0, 1, 3, 2.5, 0.5, -1, -0.5, infinity, -infinity, 1e9, 1e12, safest]
const windows: readonly unknown[] = [86_400_000 / 7, 60_000, 60_000.001, 3_600_000, huge, 2 ** 40]

const grid = (moreLimits: readonly unknown[], moreWindows: readonly unknown[]): Case[] => [
  ...[...limits, ...moreLimits].map((limit) => ({ limit, window: 60_000 })),
  ...[...windows, ...moreWindows].map((window) => ({ limit: 2, window })),
]

const of = (cases: readonly Case[]) => cases.map((one) => [shown(one), one] as const)
const shown = ({ limit, window, block }: Case) =>
  [limit, window, ...(block === undefined ? [] : [block])]
    .map((value) =>
      typeof value === 'function'
        ? `() => ${String((value as () => unknown)())}`
        : typeof value === 'string'
          ? `'${value}'`
          : String(value),
    )
    .join(' in ')

/** Whether each of five requests is let in. */
async function fiveOn(open: () => LimitedApp | Promise<LimitedApp>): Promise<string> {
  let app: LimitedApp | undefined
  try {
    app = await open()
    let answers = ''
    for (let request = 0; request < 5; request += 1) answers += (await app.enter('k')).isIn ? 'y' : '-'
    return answers
  } catch {
    // The app does not start: nobody is let in.
    return 'does not start'
  } finally {
    await app?.close?.()
  }
}

function expectEqualOrShut(one: Case, theirs: string, ours: string): void {
  if (one.isRefused) expect(ours).toMatch(/^(-----|does not start)$/)
  else expect(ours).toBe(theirs)
}

describePostgres('what the hosts allow', (body) => {
  let stash: PgStash
  let limiters = 0
  const prefix = () => `i${limiters++}`

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  const refused = (...pairs: [unknown, unknown][]): Case[] =>
    pairs.map(([limit, window]) => ({ limit, window, isRefused: true }))

  const ofExpress = [
    ...grid([() => 2, async () => 3, () => 2.5, () => infinity, () => notANumber, '2'], []),
    ...refused([notANumber, 60_000], [2, 0], [2, -5], [2, notANumber], [2, infinity], [2, '60000'], [2, null]),
  ]

  it.each(of(ofExpress))('express-rate-limit: %s', async (_, one) => {
    const options = { limit: one.limit, windowMs: one.window } as Partial<Options>
    const theirs = new MemoryStore()
    const ours = new PgRateLimitStore({ stash, prefix: prefix() })
    // Beyond 2 ** 31 ms its timer runs at once, and it forgets: such a window it counts as long as the loop is held.
    const told = (one.window as number) >= 2 ** 31 ? 'yy---' : await fiveOn(() => expressApp(theirs, options))
    theirs.shutdown()
    expectEqualOrShut(one, told, await fiveOn(() => expressApp(ours, options)))
  })

  const ofHono = [
    ...grid([() => 2, async () => 3, () => 2.5, () => infinity, () => notANumber, '2'], []),
    ...refused([notANumber, 60_000], [2, 0], [2, -5], [2, notANumber], [2, infinity], [2, '60000']),
  ]

  it.each(of(ofHono))('hono-rate-limiter: %s', async (_, one) => {
    const options = { limit: one.limit, windowMs: one.window }
    const theirs = new HonoMemoryStore()
    const ours = new PgRateLimitStore({ stash, prefix: prefix() })
    const told = (one.window as number) >= 2 ** 31 ? 'yy---' : await fiveOn(() => honoApp(theirs, options))
    theirs.shutdown()
    expectEqualOrShut(one, told, await fiveOn(() => honoApp(ours, options)))
  })

  const ofFastify = [
    ...grid(
      [() => 2, async () => 3, () => 2.5, () => -1, () => infinity, () => notANumber, () => '2', notANumber],
      [
        0,
        -5,
        infinity,
        notANumber,
        '1 minute',
        '90000',
        () => 60_000,
        async () => 60_000.5,
        () => 0,
        () => -5,
        () => infinity,
        () => huge,
      ],
    ),
    ...refused([2, () => notANumber], [2, () => undefined], [2, () => '1 minute']),
  ]

  it.each(of(ofFastify))('@fastify/rate-limit: %s', async (_, one) => {
    const options = { max: one.limit, timeWindow: one.window }
    const theirs = await fiveOn(() => fastifyApp(undefined, options))
    const ours = await fiveOn(() => fastifyApp(fastifyRateLimitStore({ stash, prefix: prefix() }), options))
    expectEqualOrShut(one, theirs, ours)
  })

  const ofNest = [
    ...grid(
      [() => 2, async () => 3, () => 2.5, notANumber, '2'],
      [0, -5, infinity, '60000', () => 60_000.5, async () => huge],
    ),
    ...[0, -5, 0.5, 60_000.5, infinity, () => 90_000, '90000'].flatMap((block) => [
      { limit: 2, window: 60_000, block },
      { limit: 2.5, window: 60_000, block },
    ]),
  ]

  it.each(of(ofNest))('@nestjs/throttler: %s', async (_, one) => {
    const options = { limit: one.limit, ttl: one.window, blockDuration: one.block } as never
    const storage = new ThrottlerStorageService()
    const theirs = await fiveOn(() => nestApp(storage, options))
    storage.onApplicationShutdown()
    const ours = await fiveOn(() => nestApp(new PgThrottlerStorage({ stash, prefix: prefix() }), options))
    // A block of half a millisecond may be over before the next request, on either.
    if (one.block === 0.5) expect(ours.slice(0, 2)).toBe(theirs.slice(0, 2))
    else expectEqualOrShut(one, theirs, ours)
  })

  describe('any caller', () => {
    it('express-rate-limit, hono-rate-limiter: counts, takes back, resets and tells', async () => {
      for (const options of [{ skipFailedRequests: false, skipSuccessfulRequests: false }, {}]) {
        const store = new PgRateLimitStore({ stash, prefix: prefix() })
        store.init({ windowMs: 60_000, limit: 2, ...options })
        const totals = async (key: unknown, hits: number) => {
          const all = []
          for (let hit = 0; hit < hits; hit += 1) all.push((await store.increment(anyKey(key))).totalHits)
          return all
        }
        for (const [name, key] of callers) {
          expect([name, await totals(key, 4)]).toEqual([name, [1, 2, 3, 4]])
          await store.decrement(anyKey(key))
          expect([name, (await store.get(anyKey(key)))?.totalHits]).toEqual([name, 3])
          await store.resetKey(anyKey(key))
          expect([name, await store.get(anyKey(key))]).toEqual([name, undefined])
        }
        for (const [name, key] of callers) expect([name, await totals(key, 1)]).toEqual([name, [1]])
      }
    })

    it('@fastify/rate-limit: counts and reads, also with skipOnError', async () => {
      const Store = fastifyRateLimitStore({ stash, prefix: prefix() })
      const store = new Store({ max: 2, timeWindow: 60_000, skipOnError: true })
      const ask = (verb: 'incr' | 'read', key: unknown) =>
        new Promise<number>((resolve, reject) =>
          store[verb](
            anyKey(key),
            (error, answer) => (error ? reject(error) : resolve(answer?.current as number)),
            60_000,
            2,
          ),
        )
      for (const [name, key] of callers) {
        expect([name, await ask('incr', key), await ask('incr', key), await ask('incr', key)]).toEqual([name, 1, 2, 3])
        expect([name, await ask('read', key)]).toEqual([name, 3])
      }
    })

    it('@nestjs/throttler: counts', async () => {
      const storage = new PgThrottlerStorage({ stash, prefix: prefix() })
      const hit = async (key: unknown, name = 'default') =>
        (await storage.increment(anyKey(key), 60_000, 2, 0, name)).totalHits
      for (const [name, key] of callers)
        expect([name, await hit(key), await hit(key), await hit(key)]).toEqual([name, 1, 2, 3])
      for (const name of ['', 'api@v1', 'a\0b', 'ねこ', 'x'.repeat(5_000)]) expect(await hit('k', name)).toBe(1)
    })

    it('is let in by no error of his own making, where a host lets pass whom its store did not count', async () => {
      const tenant = () => 'x'.repeat(300)
      const store = new PgRateLimitStore({ stash, prefix: prefix(), tenant })
      expect(await fiveOn(() => expressApp(store as never, { passOnStoreError: true }))).toBe('-----')
      const Store = fastifyRateLimitStore({ stash, prefix: prefix(), tenant })
      expect(await fiveOn(() => fastifyApp(Store, { max: 2, skipOnError: true }))).toBe('-----')
    })
  })

  describe('a store that cannot count what it was told', () => {
    it('rejects every hit, also where the host goes on, and says why', async () => {
      const store = new PgRateLimitStore({ stash, prefix: prefix() })
      expect(() => store.init({ windowMs: 0, limit: 5 })).toThrow('windowMs')
      for (const ask of [() => store.increment('k'), () => store.get('k'), () => store.decrement('k')])
        await expect(ask()).rejects.toMatchObject({ field: 'windowMs' })
    })

    it('denies every hit where the host would let it pass for an error', async () => {
      const options = { windowMs: 0, limit: 5, passOnStoreError: true }
      const store = new PgRateLimitStore({ stash, prefix: prefix() })
      expect(await fiveOn(() => expressApp(store as never, options))).toBe('-----')
    })
  })

  describe('one store for two limiters', () => {
    it('with one limit and window counts for both', async () => {
      const store = new PgRateLimitStore({ stash, prefix: prefix() })
      for (let limiter = 0; limiter < 2; limiter += 1) store.init({ windowMs: 60_000, limit: 5 })
      expect((await store.increment('k')).totalHits).toBe(1)
    })

    const first = { windowMs: 60_000, limit: 5, skipFailedRequests: true }

    it.each([
      ['limit', { windowMs: 60_000, limit: 6, skipFailedRequests: true }],
      ['window', { windowMs: 60_001, limit: 5, skipFailedRequests: true }],
      ['skip option', { windowMs: 60_000, limit: 5, skipFailedRequests: false, skipSuccessfulRequests: false }],
    ])('with another %s is refused, and lets nobody in', async (_, second) => {
      const store = new PgRateLimitStore({ stash, prefix: prefix() })
      store.init(first)
      expect(() => store.init(second)).toThrow('prefix of its own')
      await expect(store.increment('k')).rejects.toMatchObject({ field: 'store' })
      const logged: unknown[] = []
      const shared = new PgRateLimitStore({ stash, prefix: prefix() }) as never
      rateLimit({ store: shared, ...first, validate: false })
      rateLimit({
        store: shared,
        ...second,
        validate: false,
        logger: { error: (error) => logged.push(error), warn() {} },
      })
      expect(logged).toHaveLength(1)
      const config = { store: shared, keyGenerator: () => 'k' } as never
      expect(() => rateLimiter({ ...(config as object), ...second } as never)).toThrow()
    })

    it('of @fastify/rate-limit is a store for each: its limits are its own', async () => {
      const app = Fastify()
      const store = fastifyRateLimitStore({ stash, prefix: prefix() })
      await app.register(fastifyRateLimit, { store, global: false, keyGenerator: () => 'k' } as never)
      app.get('/two', { config: { rateLimit: { max: 2 } } }, async () => 'yes')
      app.get('/one', { config: { rateLimit: { max: 1 } } }, async () => 'yes')
      const statuses = []
      for (const url of ['/two', '/two', '/two', '/one', '/one']) statuses.push((await app.inject(url)).statusCode)
      expect(statuses).toEqual([200, 200, 429, 200, 429])
      await app.close()
    })
  })

  it('a store tells of a caller whose hits were all taken back, as the memory store does', async () => {
    for (const algorithm of ['fixed-window', 'sliding-window'] as const) {
      const store = new PgRateLimitStore({ stash, prefix: prefix(), algorithm })
      store.init({ windowMs: 60_000, limit: 5 })
      await store.increment('k')
      await store.decrement('k')
      expect(await store.get('k')).toMatchObject({ totalHits: 0, resetTime: expect.any(Date) })
      expect(await store.get('nobody')).toBeUndefined()
    }
  })

  it('a sliding window refuses a ttl that changes from one request of a caller to the next', async () => {
    const storage = new PgThrottlerStorage({ stash, prefix: prefix(), algorithm: 'sliding-window' })
    expect((await storage.increment('k', 60_000, 2, 0, 'default')).totalHits).toBe(1)
    await expect(storage.increment('k', 59_999, 2, 0, 'default')).rejects.toMatchObject({ field: 'ttl' })
  })
})
