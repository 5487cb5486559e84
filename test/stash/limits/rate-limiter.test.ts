import express from 'express'
import { rateLimit } from 'express-rate-limit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgRateLimitStore } from '../../../src/adapters/express-rate-limit'
import { Denials } from '../../../src/stash/limits/denials'
import { LoginLimiter } from '../../../src/stash/limits/login-limiter'
import { type Algorithm, RateLimiter, type RateLimitOnError } from '../../../src/stash/limits/rate-limiter'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema } from '../../support/bodies'
import { Browser, closed, listening } from '../../support/browser'
import { CountingPool } from '../../support/counting-pool'
import { rounds } from '../../support/depth'
import { runNode } from '../../support/processes'
import { TestServer } from '../../support/servers/postgres'
import { sleep } from '../../support/sleep'

const algorithms: readonly Algorithm[] = ['fixed-window', 'sliding-window', 'gcra']

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const processes = 4
const hits = 500

/** Every process hits all keys at once; its clock is so many milliseconds off. Of a day's window nothing comes back while the test runs. */
const script = (options: object, keys: number, offMs: number) => `
  const { now } = Date
  Date.now = () => now() + ${offMs}
  const { PgStash, RateLimiter } = await import('pgstash')
  const stash = new PgStash({ connectionString: process.env.URL, schema: process.env.SCHEMA, timeoutMs: 60_000 })
  const limiter = new RateLimiter({ stash, ...${JSON.stringify(options)} })
  const keys = Array.from({ length: ${keys} }, (_, at) => 'key-' + at)
  const allowedOf = async (key) => {
    const results = await Promise.all(Array.from({ length: ${hits} }, () => limiter.consume(key)))
    return results.filter(({ isAllowed }) => isAllowed).length
  }
  console.log(JSON.stringify(await Promise.all(keys.map(allowedOf))))
  await stash.close()
`

/** An hour late, right, and an hour early. */
const clocks = [-hourMs, 0, 0, hourMs]

describe('between processes', () => {
  let stash: PgStash

  beforeAll(async () => {
    stash = new PgStash({ connectionString: inject('postgresUrl'), schema: freshSchema() })
    await stash.ready()
    return () => stash.close()
  })

  const allowedOf = async (options: object, keys: number) => {
    const env = { URL: inject('postgresUrl'), SCHEMA: stash.schema }
    const ended = await Promise.all(clocks.map((offMs) => runNode(script(options, keys, offMs), env)))
    expect(ended.map(({ code }) => code)).toEqual(Array(processes).fill(0))
    const counts = ended.map(({ output }) => JSON.parse(output) as number[])
    return Array.from({ length: keys }, (_, at) =>
      counts.reduce((sum, ofProcess) => sum + (ofProcess[at] as number), 0),
    )
  }

  it.each(algorithms)(`%s: ${processes} x ${hits} hits, a limit of 100, clocks an hour off`, async (algorithm) => {
    expect(await allowedOf({ name: `one-${algorithm}`, algorithm, limit: 100, windowMs: dayMs }, 1)).toEqual([100])
  })

  const many = rounds({ shallow: 10, deep: 50 })

  it.each(algorithms)(`%s: the same on ${many} keys at once`, { timeout: 120_000 }, async (algorithm) => {
    expect(await allowedOf({ name: `many-${algorithm}`, algorithm, limit: 100, windowMs: dayMs }, many)).toEqual(
      Array(many).fill(100),
    )
  })

  it('several limits at once: as many as the lowest', { timeout: 120_000 }, async () => {
    const limits = [
      { limit: 120, windowMs: dayMs, algorithm: 'gcra' },
      { limit: 100, windowMs: 2 * dayMs },
    ]
    expect(await allowedOf({ name: 'several', limits }, 20)).toEqual(Array(20).fill(100))
  })
})

/** Of an attacker. */
const requests = rounds({ shallow: 1_000, deep: 10_000 })

describe(`an attacker who repeats a denied request ${requests} times`, () => {
  let pool: CountingPool
  let stash: PgStash

  beforeAll(async () => {
    pool = new CountingPool(inject('postgresUrl'))
    stash = new PgStash({ pool, schema: freshSchema() })
    await stash.ready()
    return async () => {
      await stash.close()
      await pool.end()
    }
  })

  const statementsOf = async (attack: () => Promise<void>) => {
    const before = pool.statements
    await attack()
    return pool.statements - before
  }

  it.each(algorithms)('%s: costs fewer than 50 statements', async (algorithm) => {
    const limiter = new RateLimiter({ stash, name: `attacked-${algorithm}`, algorithm, limit: 5, windowMs: hourMs })
    while ((await limiter.consume('attacker')).isAllowed);
    const statements = await statementsOf(async () => {
      for (let request = 0; request < requests; request += 1)
        expect((await limiter.consume('attacker')).isAllowed).toBe(false)
    })
    expect(statements).toBeLessThan(50)
    expect((await limiter.consume('somebody else')).isAllowed).toBe(true)
  })

  it('over HTTP, through express-rate-limit: the same', { timeout: 120_000 }, async () => {
    const app = express()
    const store = new PgRateLimitStore({ stash, prefix: 'attacked' })
    app.use(rateLimit({ store, limit: 5, windowMs: hourMs, keyGenerator: () => 'attacker' }))
    app.get('/', (_req, res) => void res.send('yes'))
    const server = app.listen(0, '127.0.0.1')
    const browser = new Browser(await listening(server))
    while ((await browser.get('/')).status === 200);
    const statements = await statementsOf(async () => {
      const attackers = Array.from({ length: 20 }, async () => {
        for (let request = 0; request < requests / 20; request += 1) expect((await browser.get('/')).status).toBe(429)
      })
      await Promise.all(attackers)
    })
    expect(statements).toBeLessThan(50)
    await closed(server)
  })

  it('remembers no more callers than it was told, and none where it was told so', async () => {
    const limiter = new RateLimiter({ stash, name: 'few', limit: 0, windowMs: hourMs, denyCache: { maxKeys: 2 } })
    for (const caller of ['a', 'b', 'c']) await limiter.consume(caller)
    expect(await statementsOf(async () => void (await limiter.consume('c')))).toBe(0)
    expect(await statementsOf(async () => void (await limiter.consume('a')))).toBeGreaterThan(0)
    const asking = new RateLimiter({ stash, name: 'none', limit: 0, windowMs: hourMs, denyCache: false })
    await asking.consume('a')
    expect(await statementsOf(async () => void (await asking.consume('a')))).toBeGreaterThan(0)
  })

  it('asks again after a while, and so hears of a reset elsewhere', async () => {
    const here = new RateLimiter({ stash, name: 'heard', limit: 1, windowMs: hourMs, denyCache: { maxMs: 200 } })
    const elsewhere = new RateLimiter({ stash, name: 'heard', limit: 1, windowMs: hourMs })
    await here.consume('a')
    expect((await here.consume('a')).isAllowed).toBe(false)
    await elsewhere.reset('a')
    expect((await here.consume('a')).isAllowed).toBe(false)
    await expect.poll(async () => (await here.consume('a')).isAllowed, { timeout: 5_000 }).toBe(true)
  })

  it('writes no row for a denied hit', async () => {
    const limiter = new RateLimiter({ stash, name: 'denied', limit: 1, windowMs: hourMs, denyCache: false })
    await limiter.consume('a')
    const row = async () =>
      (await pool.query(`select xmin, ctid::text from ${stash.schema}.counter where namespace like 'denied/%'`)).rows
    const before = await row()
    for (let hit = 0; hit < 5; hit += 1) expect((await limiter.consume('a')).isAllowed).toBe(false)
    expect(await row()).toEqual(before)
  })
})

describe('while the database is away', () => {
  let server: TestServer
  let stash: PgStash

  beforeAll(async () => {
    server = await (await TestServer.create()).start()
    stash = new PgStash({ connectionString: server.url(), timeoutMs: 2_000 })
    await stash.ready()
    await server.stop()
  })

  afterAll(async () => {
    await stash.close()
    await server.remove()
  })

  const limiterOf = (onError?: RateLimitOnError) =>
    new RateLimiter({ stash, limit: 2, windowMs: hourMs, ...(onError === undefined ? {} : { onError }) })
  const allowed = async (limiter: RateLimiter) => {
    const results = []
    for (let hit = 0; hit < 4; hit += 1) results.push((await limiter.consume('a')).isAllowed)
    return results
  }

  it('fails by default, for the host to decide', async () => {
    await expect(limiterOf().consume('a')).rejects.toMatchObject({
      code: expect.stringMatching(/CONNECTION|CIRCUIT_OPEN/),
    })
  })

  it('open: allows', async () => {
    expect(await allowed(limiterOf('open'))).toEqual([true, true, true, true])
  })

  it('closed: denies, and asks to come again soon', async () => {
    const limiter = limiterOf('closed')
    expect(await allowed(limiter)).toEqual([false, false, false, false])
    expect((await limiter.consume('a')).retryAfterMs).toBeLessThanOrEqual(1_000)
    expect(await limiter.penalty('a')).toMatchObject({ isAllowed: false })
  })

  it('memory: counts in this process', async () => {
    const limiter = limiterOf('memory')
    expect(await allowed(limiter)).toEqual([true, true, false, false])
    expect((await limiter.consume('b')).isAllowed).toBe(true)
    const result = await limiter.consume('a')
    expect(result.retryAfterMs).toBeGreaterThan(hourMs - 60_000)
    expect(await limiter.penalty('a')).toMatchObject({ isAllowed: false, used: 3 })
    expect(await limiter.penalty('c', 2)).toMatchObject({ isAllowed: false, used: 2 })
    expect((await limiter.consume('c')).isAllowed).toBe(false)
    await limiter.reward('c')
    expect((await limiter.consume('c')).isAllowed).toBe(true)
  })

  it('lets who got it right in, and takes back in memory what counted there', async () => {
    const open = new LoginLimiter({ stash, onError: 'open' })
    const attempt = await open.begin({ username: 'ada', ip: 'x' })
    expect(attempt.isAllowed).toBe(true)
    await attempt.succeed()
    const memory = new LoginLimiter({ stash, name: 'memory', onError: 'memory' })
    for (let login = 0; login < 20; login += 1) {
      const right = await memory.begin({ username: 'ada', ip: 'x' })
      expect(right.isAllowed).toBe(true)
      await right.succeed()
    }
    for (let guess = 0; guess < 5; guess += 1) await memory.begin({ username: 'ada', ip: 'x' })
    expect((await memory.begin({ username: 'ada', ip: 'x' })).isAllowed).toBe(false)
  })

  it('memory: a hit that one of several limits denies counts in none', async () => {
    const limits = [
      { limit: 2, windowMs: 1_000 },
      { limit: 3, windowMs: hourMs },
    ]
    const limiter = new RateLimiter({ stash, limits, onError: 'memory', denyCache: false })
    const results = []
    for (let hit = 0; hit < 6; hit += 1) results.push(await limiter.consume('a'))
    expect(results.map(({ limits: [, hour] }) => hour?.used)).toEqual([1, 2, 2, 2, 2, 2])
  })

  it('counts again as soon as it is back', async () => {
    const limiter = limiterOf('closed')
    expect((await limiter.consume('back')).isAllowed).toBe(false)
    await server.start()
    await expect.poll(async () => (await limiter.consume('back')).isAllowed, { timeout: 10_000 }).toBe(true)
  })

  it('takes back nothing in the database that was counted in memory', async () => {
    const logins = new LoginLimiter({ stash, name: 'hand-over', onError: 'memory' })
    const caller = { username: 'ada', ip: 'x' }
    const isBack = () =>
      expect.poll(() => logins.peek(caller).catch(() => undefined), { timeout: 10_000 }).toBeDefined()
    await server.stop()
    await server.start()
    await isBack()
    for (let guess = 0; guess < 3; guess += 1) expect((await logins.begin(caller)).isAllowed).toBe(true)
    await server.stop()
    const meanwhile = [
      await logins.begin({ ...caller, username: 'eve' }),
      await logins.begin({ ...caller, username: 'eve' }),
    ]
    expect(meanwhile.map(({ isAllowed }) => isAllowed)).toEqual([true, true])
    await server.start()
    await isBack()
    for (const { succeed } of meanwhile) await succeed()
    const byIp = (await logins.peek(caller)).limits.find(({ name }) => name.endsWith('/ip'))
    expect(byIp?.used).toBe(3)
  })

  it('lets express-rate-limit pass where it was told so', async () => {
    await server.stop()
    const app = express()
    const logger = { error: () => {}, warn: () => {} }
    app.use(rateLimit({ store: new PgRateLimitStore({ stash }), limit: 1, passOnStoreError: true, logger } as never))
    app.get('/', (_req, res) => void res.send('yes'))
    const listener = app.listen(0, '127.0.0.1')
    const browser = new Browser(await listening(listener))
    expect([(await browser.get('/')).status, (await browser.get('/')).status]).toEqual([200, 200])
    await closed(listener)
  })
})

describe('the hits that a host takes back', () => {
  let stash: PgStash

  beforeAll(() => {
    stash = new PgStash({ connectionString: inject('postgresUrl'), schema: freshSchema() })
    return () => stash.close()
  })

  /** One a second comes back; a denial is remembered until all are. */
  const storeOf = (prefix: string) =>
    new PgRateLimitStore({ stash, prefix, algorithm: 'gcra', limit: 5, windowMs: 5_000, denyCache: false })
  const deny = async (store: PgRateLimitStore) => {
    for (let hit = 0; hit < 25; hit += 1) await store.increment('k')
  }
  /** As a host that skips what succeeded. */
  const succeed = async (store: PgRateLimitStore) => {
    const totals = []
    for (let hit = 0; hit < 12; hit += 1) {
      totals.push((await store.increment('k')).totalHits)
      await store.decrement('k')
    }
    return totals
  }

  it('are those that were counted, where it never takes back a denial', async () => {
    const store = storeOf('successes')
    store.init({ windowMs: 5_000, limit: 5, skipFailedRequests: false })
    await deny(store)
    await sleep(1_100)
    expect(Math.max(...(await succeed(store)))).toBeLessThanOrEqual(5)
  })

  it('are those that were counted, once a denial is older than an answer takes', async () => {
    const store = storeOf('both')
    await deny(store)
    await sleep(1_100)
    expect(Math.max(...(await succeed(store)))).toBeLessThanOrEqual(5)
  })

  it('are the denials, where it takes back what failed', async () => {
    const store = storeOf('failures')
    store.init({ windowMs: 5_000, limit: 5, skipFailedRequests: true })
    await deny(store)
    for (let hit = 0; hit < 20; hit += 1) await store.decrement('k')
    expect((await store.get('k'))?.totalHits).toBeLessThanOrEqual(5)
  })
})

it('a denial is remembered from when the database was asked, however long it took to answer', () => {
  const denials = new Denials<string>()
  denials.remember(['slow'], 1, performance.now() - 1_000, 900, 'denied')
  denials.remember(['quick'], 1, performance.now(), 900, 'denied')
  expect(denials.find(['slow'], 1)).toBeUndefined()
  expect(denials.find(['quick'], 1)).toMatchObject({ facts: 'denied' })
})
