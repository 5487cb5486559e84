import Keyv from 'keyv'
import Keyv6 from 'keyv6'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgCacheManagerStore, pgStore } from '../../src/adapters/cache-manager/store'
import { PgRateLimitStore } from '../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { createKeyv, KeyvPgStore } from '../../src/adapters/keyv/store'
import { PgThrottlerStorage } from '../../src/adapters/nestjs-throttler'
import { PgSessionStore } from '../../src/adapters/sessions/express'
import { PgSessionStore as FastifyPgSessionStore } from '../../src/adapters/sessions/fastify'
import { holdStash } from '../../src/stash/held-stash'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { freshSchema } from '../support/bodies'

const application = freshSchema()
let database: pg.Pool
let url: string

const backends = async () =>
  (await database.query('select count(*)::int as n from pg_stat_activity where application_name = $1', [application]))
    .rows[0].n as number

beforeAll(async () => {
  database = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
  await database.query(`create database ${application}`)
  const address = new URL(inject('postgresUrl'))
  address.pathname = `/${application}`
  address.searchParams.set('application_name', application)
  url = address.href
})

afterAll(async () => {
  await database.query(`drop database ${application} with (force)`)
  await database.end()
})

/** A store, a call of it, and what closes it. */
type Opened = [use: () => unknown, close: () => Promise<unknown>]

const fastify = (Store: ReturnType<typeof fastifyRateLimitStore>): Opened => [
  () => new Promise((resolve) => new Store().incr('k', resolve, 1_000, 5)),
  () => Store.close(),
]
const keyv = (cache: Keyv | Keyv6): Opened => [() => cache.set('k', 1), () => cache.disconnect()]
const manager = (store: PgCacheManagerStore): Opened => [() => store.set('k', 1), () => store.disconnect()]
const sessions = (store: PgSessionStore | FastifyPgSessionStore | Sessions): Opened => [
  () => store.set('k', {}),
  () => store.close(),
]

/** As people swap, line by line. */
const makers: ((connection: string) => Opened)[] = [
  (connection) => keyv(new Keyv(new KeyvPgStore(connection) as never)),
  (connectionString) => keyv(new Keyv(new KeyvPgStore({ connectionString, namespace: 'other' }) as never)),
  (connection) => keyv(new Keyv6(new KeyvPgStore(connection) as never)),
  (connectionString) => keyv(createKeyv(Keyv as never, { connectionString, namespace: 'views' }) as Keyv),
  (connection) => keyv(createKeyv(Keyv as never, connection) as Keyv),
  (connectionString) => manager(pgStore({ connectionString, ttl: 1_000 })),
  (connection) => manager(new PgCacheManagerStore(connection)),
  (connectionString) => sessions(new PgSessionStore({ connectionString })),
  (connectionString) => sessions(new FastifyPgSessionStore({ connectionString, lostUpdates: 'reject' })),
  (connectionString) => sessions(new Sessions({ connectionString, tenant: 'acme' })),
  (connectionString) => {
    const store = new PgRateLimitStore({ connectionString, prefix: 'api' })
    return [() => store.increment('k'), () => store.shutdown()]
  },
  (connectionString) => fastify(fastifyRateLimitStore({ connectionString })),
  (connectionString) => {
    const storage = new PgThrottlerStorage({ connectionString })
    return [() => storage.increment('k', 1_000, 5, 0, 'default'), () => storage.onApplicationShutdown()]
  },
  (connectionString) => {
    const limiter = new RateLimiter({ connectionString, limit: 5, windowMs: 1_000 })
    return [() => limiter.consume('k'), () => limiter.close()]
  },
  (connectionString) => {
    const limiter = new LoginLimiter({ connectionString })
    return [() => limiter.peek({ username: 'ada', ip: '192.0.2.1' }), () => limiter.close()]
  },
]

describe('stores that are given one address', () => {
  it('share one pool, 40 of them, until the last is closed; a later one opens it again', async () => {
    for (let round = 0; round < 2; round += 1) {
      const opened = Array.from({ length: 40 }, (_, at) => (makers[at % makers.length] as (typeof makers)[0])(url))
      for (const [use] of opened) await use()
      await Promise.all(opened.map(([use]) => use()))
      expect(await backends()).toBeGreaterThan(0)
      expect(await backends()).toBeLessThanOrEqual(5)
      const [last, ...others] = opened as [Opened, ...Opened[]]
      for (const [, close] of others) await close()
      await last[0]()
      expect(await backends()).toBeGreaterThan(0)
      await last[1]()
      await expect.poll(backends).toBe(0)
    }
  })

  it('count a store once that is closed twice', async () => {
    const [one, other] = [new Sessions({ connectionString: url }), new Sessions({ connectionString: url })]
    await Promise.all([one.close(), one.close()])
    await other.set('s', { n: 1 })
    await other.close()
    await expect(other.get('s')).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
    const later = new Sessions({ connectionString: url })
    expect(await later.get('s')).toMatchObject({ n: 1 })
    await later.close()
  })

  const same = async (one: PgStashOptions | string, other: PgStashOptions | string) => {
    const [a, b] = [holdStash(one), holdStash(other)]
    await Promise.all([a.release(), b.release()])
    return a.stash === b.stash
  }

  it('have pools of their own where any option differs, and one where all are the same', async () => {
    const base = { connectionString: 'postgres://h/d' }
    const types = {}
    const quota = () => undefined
    const alike: [PgStashOptions | string, PgStashOptions | string][] = [
      ['postgres://h/d', base],
      [{ ...base, schema: 'pgstash', timeoutMs: 10_000, max: 5 }, base],
      [
        { ...base, ssl: { ca: 'x', rejectUnauthorized: false } },
        { ssl: { rejectUnauthorized: false, ca: 'x' }, ...base },
      ],
      [
        { ...base, quota: quota as never },
        { ...base, quota: quota as never },
      ],
      [
        { ...base, maintenance: 'postgres://o@h/d' },
        { ...base, maintenance: { connectionString: 'postgres://o@h/d' } },
      ],
    ]
    for (const [one, other] of alike) expect(await same(one, other), JSON.stringify(one)).toBe(true)
    const different: PgStashOptions[] = [
      { connectionString: 'postgres://h/e' },
      { connectionString: 'postgres://ada:secret@h/d' },
      { ...base, schema: 'other' },
      { ...base, isolation: 'rls' },
      { ...base, max: 6 },
      { ...base, password: 'a' },
      { ...base, password: () => 'a' },
      { ...base, timeoutMs: 1 },
      { ...base, onError: 'miss' },
      { ...base, sweeper: false },
      { ...base, migrate: false },
      { ...base, ssl: true },
      { ...base, ssl: { ca: 'x' } },
      { ...base, quota: { maxEntries: 5 } },
      { ...base, maintenance: 'postgres://o@h/d' },
      { ...base, types } as PgStashOptions,
    ]
    for (const [at, one] of different.entries()) {
      expect(await same(one, base), String(at)).toBe(false)
      for (const other of different.slice(0, at)) expect(await same(one, other), String(at)).toBe(false)
    }
    expect(await same({ ...base, password: () => 'a' }, { ...base, password: () => 'a' })).toBe(false)
  })

  it('are not those of a stash: new PgStash has a pool of its own', async () => {
    const store = new PgCacheManagerStore(url)
    const stash = new PgStash(url)
    expect(store.client).not.toBe(stash)
    await store.set('k', 1)
    await stash.close()
    expect(await store.get('k')).toBe(1)
    await store.disconnect()
  })

  it('connect anew where their stash was closed behind them', async () => {
    const one = new PgCacheManagerStore(url)
    await one.client.close()
    const other = new PgCacheManagerStore(url)
    await other.set('k', 2)
    expect(await other.get('k')).toBe(2)
    await Promise.all([one.disconnect(), other.disconnect()])
  })

  it('share none where the environment has changed in between', async () => {
    const before = process.env.PGHOST
    try {
      const one = holdStash({ database: 'd' })
      process.env.PGHOST = 'elsewhere'
      const other = holdStash({ database: 'd' })
      expect(one.stash).not.toBe(other.stash)
      await Promise.all([one.release(), other.release()])
    } finally {
      if (before === undefined) delete process.env.PGHOST
      else process.env.PGHOST = before
    }
  })

  it('start each by itself: one that could not is no matter of another', async () => {
    const [bad, good] = [
      new Sessions({ connectionString: url, database: 'x', schema: 'no_such', migrate: false }),
      new Sessions({ connectionString: url }),
    ]
    await expect(bad.get('s')).rejects.toMatchObject({ code: 'ERR_PGSTASH_SCHEMA_OUTDATED' })
    await bad.close()
    await good.set('s', { n: 3 })
    await good.close()
  })
})
