import { caching as caching4 } from 'cache-manager4'
import { createCache } from 'cache-manager7'
import Keyv from 'keyv'
import { beforeAll, describe, expect, it } from 'vitest'
import { PgCacheManagerStore, pgStore, pgStore4 } from '../../../src/adapters/cache-manager/store'
import { PgRateLimitStore } from '../../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../../src/adapters/fastify-rate-limit'
import { KeyvPgStore } from '../../../src/adapters/keyv/store'
import { PgThrottlerStorage } from '../../../src/adapters/nestjs-throttler'
import { PgSessionStore } from '../../../src/adapters/sessions/express'
import { InvalidArgumentError } from '../../../src/errors'
import { LoginLimiter } from '../../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { describePostgres } from '../../support/bodies'

/** What nobody can take for a duration. */
const unusable: readonly (readonly [name: string, duration: unknown])[] = [
  ['text of digits', '60'],
  ['text with a unit', '1m'],
  ['no text', ''],
  ['NaN', Number.NaN],
  ['true', true],
  ['false', false],
  ['a BigInt', 60n],
  ['an object', { ms: 60 }],
  ['a list', [60]],
  ['a date', new Date()],
  ['a symbol', Symbol('60')],
  ['below 0', -5],
  ['no end before now', Number.NEGATIVE_INFINITY],
]

/** Where a duration is taken, by the field that a refusal names. */
type Place = readonly [place: string, field: string, give: (stash: PgStash, duration: never) => unknown]

const connectionString = 'postgres://nowhere.invalid'
const key = 'k'
const pair = { key, value: 1 }

const namespaces: readonly Place[] = [
  ['namespace()', 'ttl', (stash, ttl) => stash.namespace('a', { ttl })],
  ['set', 'ttl', (stash, ttl) => stash.namespace('a').set(key, 1, { ttl })],
  ['setMany', 'ttl', (stash, ttl) => stash.namespace('a').setMany([{ ...pair, ttl }])],
  ['add', 'ttl', (stash, ttl) => stash.namespace('a').add(key, 1, { ttl })],
  ['compareAndSet', 'ttl', (stash, ttl) => stash.namespace('a').compareAndSet(key, 1, 1, { ttl })],
  ['increment', 'ttl', (stash, ttl) => stash.namespace('a').increment('n', 1, { ttl })],
  ['touch', 'ttl', (stash, ttl) => stash.namespace('a').touch(key, ttl)],
]

const cacheManagers: readonly Place[] = [
  ['cache-manager 5, ttl of the store', 'ttl', (stash, ttl) => pgStore({ stash, ttl })],
  ['cache-manager 5, set', 'ttl', (stash, ttl) => new PgCacheManagerStore({ stash }).set(key, 1, ttl)],
  ['cache-manager 5, mset', 'ttl', (stash, ttl) => new PgCacheManagerStore({ stash }).mset([[key, 1]], ttl)],
  ['cache-manager 4, ttl of the store', 'ttl', (stash, ttl) => caching4({ store: pgStore4, stash, ttl } as never)],
  [
    'cache-manager 4, set',
    'ttl',
    (stash, ttl) => caching4({ store: pgStore4, stash } as never).set(key, 1, { ttl } as never),
  ],
  ['cache-manager 4, mset', 'ttl', (stash, ttl) => pgStore4.create({ stash }).mset(key, 1, { ttl })],
  [
    'cache-manager 4, told by callback',
    'ttl',
    (stash, ttl) => called((tell) => pgStore4.create({ stash }).set(key, 1, { ttl }, tell)),
  ],
]

/** Below 0 is over already, in Keyv. */
const keyvs: readonly Place[] = [
  ['Keyv, set', 'ttl', (stash, ttl) => new KeyvPgStore(stash).set(key, 1, ttl)],
  ['Keyv, setMany with ttl', 'ttl', (stash, ttl) => new KeyvPgStore(stash).setMany([{ ...pair, ttl }])],
  ['Keyv, setMany with expires', 'ttl', (stash, expires) => new KeyvPgStore(stash).setMany([{ ...pair, expires }])],
  ['Keyv 5', 'ttl', (stash, ttl) => new Keyv({ store: new KeyvPgStore(stash), throwOnErrors: true }).set(key, 1, ttl)],
]

const limits: readonly Place[] = [
  ['RateLimiter', 'windowMs', (stash, windowMs) => new RateLimiter({ stash, limit: 1, windowMs })],
  [
    'RateLimiter, limits',
    'windowMs',
    (stash, windowMs) => new RateLimiter({ stash, limits: [{ limit: 1, windowMs }] }),
  ],
  [
    'blockMs',
    'block.blockMs',
    (stash, blockMs) => new RateLimiter({ stash, limit: 1, windowMs: 1, block: { blockMs } }),
  ],
  [
    'maxBlockMs',
    'block.maxBlockMs',
    (stash, maxBlockMs) => new RateLimiter({ stash, limit: 1, windowMs: 1, block: { blockMs: 1, maxBlockMs } }),
  ],
  [
    'forgetMs',
    'block.forgetMs',
    (stash, forgetMs) => new RateLimiter({ stash, limit: 1, windowMs: 1, block: { blockMs: 1, forgetMs } }),
  ],
  [
    'denyCache',
    'denyCache.maxMs',
    (stash, maxMs) => new RateLimiter({ stash, limit: 1, windowMs: 1, denyCache: { maxMs } }),
  ],
  ['LoginLimiter', 'windowMs', (stash, windowMs) => new LoginLimiter({ stash, windowMs })],
  ['express-rate-limit, without a host', 'windowMs', (stash, windowMs) => new PgRateLimitStore({ stash, windowMs })],
]

/** The hosts round, and take what is below 0 for none: what is no number they do not say. */
const hostWindows: readonly Place[] = [
  ['Nest, ttl', 'ttl', (stash, ttl) => new PgThrottlerStorage({ stash }).increment(key, ttl, 1, 0, 'd')],
  [
    'Nest, blockDuration',
    'blockDuration',
    (stash, block) => new PgThrottlerStorage({ stash }).increment(key, 60_000, 1, block, 'd'),
  ],
  [
    'Fastify, timeWindow',
    'timeWindow',
    (stash, timeWindow) => called((tell) => new (fastifyRateLimitStore({ stash }))({}).incr(key, tell, timeWindow, 1)),
  ],
]

const others: readonly Place[] = [
  ['timeoutMs', 'timeoutMs', (_, timeoutMs) => new PgStash({ connectionString, timeoutMs })],
  ['sweeper', 'sweeper.intervalMs', (_, intervalMs) => new PgStash({ connectionString, sweeper: { intervalMs } })],
  ['breaker', 'breaker.cooldownMs', (_, cooldownMs) => new PgStash({ connectionString, breaker: { cooldownMs } })],
  ['sessions, ttl', 'ttl', (stash, ttl) => new Sessions({ stash, ttl })],
  ['sessions, touchAfter', 'touchAfter', (stash, touchAfter) => new PgSessionStore({ stash, touchAfter })],
]

/** Below 0 is over already. */
const cookies: readonly Place[] = [
  ['maxAge, set', 'session.cookie.maxAge', (stash, maxAge) => new Sessions({ stash }).set('s', { cookie: { maxAge } })],
  [
    'maxAge, touch',
    'session.cookie.maxAge',
    (stash, maxAge) => new Sessions({ stash }).touch('s', { cookie: { maxAge } }),
  ],
]

/** What a callback is told: an error is thrown again. */
function called(work: (tell: (error: unknown) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    work((error) => (error ? reject(error) : resolve()))
  })
}

describePostgres('durations', (body) => {
  let stash: PgStash

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  const refusal = async (give: Place[2], duration: unknown): Promise<unknown> => {
    try {
      await give(stash, duration as never)
    } catch (error) {
      return error instanceof InvalidArgumentError ? error.field : error
    }
    return 'taken'
  }

  describe.each([...namespaces, ...cacheManagers, ...limits, ...others])('%s', (_place, field, give) => {
    it('refuses what is no duration, and names it', async () => {
      const answers = await Promise.all(unusable.map(async ([name, duration]) => [name, await refusal(give, duration)]))
      expect(answers).toEqual(unusable.map(([name]) => [name, field]))
    })
  })

  describe.each([...keyvs, ...cookies])('%s', (_place, field, give) => {
    it('refuses what is no duration, and takes what is over', async () => {
      // JSON, which a session is, has no BigInt.
      const tried = unusable.filter(([, duration]) => field === 'ttl' || typeof duration !== 'bigint')
      const answers = await Promise.all(tried.map(async ([name, duration]) => [name, await refusal(give, duration)]))
      const isOver = (duration: unknown) => typeof duration === 'number' && duration < 0
      expect(answers).toEqual(tried.map(([name, duration]) => [name, isOver(duration) ? 'taken' : field]))
    })
  })

  describe.each(hostWindows)('%s', (_place, field, give) => {
    it('refuses what is no number, and takes one below 0 for none', async () => {
      const answers = await Promise.all(unusable.map(async ([name, duration]) => [name, await refusal(give, duration)]))
      const isNumber = (duration: unknown) => typeof duration === 'number' && !Number.isNaN(duration)
      expect(answers).toEqual(unusable.map(([name, duration]) => [name, isNumber(duration) ? 'taken' : field]))
    })
  })

  it('stores nothing for ever where cache-manager 7 and Keyv 5 pass on what is none', async () => {
    const keyv = new Keyv(new KeyvPgStore(stash, { namespace: 'manager' }))
    keyv.on('error', () => {})
    const cache = createCache({ stores: [keyv] })
    for (const [at, ttl] of (['60', '1m'] as never[]).entries()) await cache.set(`k${at}`, 1, ttl).catch(() => {})
    expect(await body.sql(`select key from ${stash.schema}.entry where namespace = 'manager'`)).toEqual([])
  })

  it('refuses with cache-manager 4 what stands in the place of the options, and is none', async () => {
    for (const ttl of ['60', 60n, [60], new Date(), true, -1]) {
      expect(await refusal((_, given) => pgStore4.create({ stash }).set(key, 1, given), ttl)).toBe('ttl')
    }
  })

  it('takes what the hosts document: nothing, null and 0 for no expiry or the default', async () => {
    const [cache, plain] = [
      pgStore4.create({ stash, namespace: 'four', ttl: 60 }),
      pgStore4.create({ stash, namespace: 'plain' }),
    ]
    await cache.set('default', 1)
    await cache.set('options', 1, {})
    await cache.set('null', 1, { ttl: null })
    await cache.set('two', 1, { ttl: 2 })
    await cache.set('number', 1, 2)
    await cache.set('half', 1, { ttl: 0.5 })
    await plain.set('zero', 1, { ttl: 0 })
    await plain.set('infinity', 1, { ttl: Number.POSITIVE_INFINITY })
    await called((tell) => cache.set('callback', 1, tell))
    const left = (key: string, store = cache) => store.ttl(key)
    expect(
      await Promise.all(['default', 'options', 'null', 'two', 'number', 'half', 'callback'].map((key) => left(key))),
    ).toEqual([60, 60, 60, 2, 2, 1, 60])
    expect([await left('zero', plain), await left('infinity', plain)]).toEqual([-1, -1])
    await new KeyvPgStore(stash, { namespace: 'entries' }).setMany([
      { key: 'both', value: 1, ttl: 60_000, expires: null as never },
    ])
    expect(await stash.namespace('entries').ttl('both')).toBeGreaterThan(50_000)
  })
})
