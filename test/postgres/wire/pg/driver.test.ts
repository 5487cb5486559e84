import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import pg from 'pg'
import oldPg from 'pg-8.11'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { fastifyRateLimitStore } from '../../../../src/adapters/fastify-rate-limit'
import type { PgPool } from '../../../../src/postgres/wire/pg/driver'
import { RateLimiter, type RateLimiterOptions } from '../../../../src/stash/limits/rate-limiter'
import { PgStash } from '../../../../src/stash/pg-stash'
import { printSchema } from '../../../../src/stash/schema-script'
import { Sessions } from '../../../../src/stash/sessions/store'
import { freshSchema, urlAs } from '../../../support/bodies'
import { hasPgBouncer, PgBouncer } from '../../../support/servers/pgbouncer'
import { TestServer } from '../../../support/servers/postgres'
import { reportStatistics } from '../../../support/servers/statistics'
import { sleep } from '../../../support/sleep'

const quick = { timeoutMs: 1_500, breaker: { failures: 3, cooldownMs: 200 } }

describe('a database that is away', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await TestServer.create()
  })
  afterAll(() => server.remove())

  it('fails the calls, and serves them once it is up, without a restart', async () => {
    const stash = new PgStash({ connectionString: server.url(), ...quick })
    const cache = stash.namespace('a')
    await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'ERR_PGSTASH_CONNECTION' })
    await server.start()
    await vi.waitFor(() => cache.set('k', 1), { timeout: 5_000, interval: 100 })
    expect(await cache.get('k')).toBe(1)

    // Gone again: every connection of the pool is dead.
    await server.stop()
    await expect(cache.get('k')).rejects.toMatchObject({ code: expect.stringMatching(/CONNECTION|CIRCUIT_OPEN/) })
    await server.start()
    await vi.waitFor(() => cache.get('k'), { timeout: 5_000, interval: 100 })
    expect(await cache.get('k')).toBe(1)
    await stash.close()
    await server.stop()
  })

  it('fails at once after repeated failures, and lets a probe through', async () => {
    const stash = new PgStash({ connectionString: server.url(), ...quick })
    const cache = stash.namespace('a')
    const codes: string[] = []
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await cache.get('k').catch((error) => codes.push(error.code))
    }
    expect(codes.at(0)).toBe('ERR_PGSTASH_CONNECTION')
    expect(codes.at(-1)).toBe('ERR_PGSTASH_CIRCUIT_OPEN')
    await sleep(250)
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_CONNECTION' })
    await stash.close()
  })

  it('answers as if nothing were stored, where onError is miss; decisions still fail', async () => {
    const stash = new PgStash({ connectionString: server.url(), ...quick, onError: 'miss' })
    const cache = stash.namespace('a')
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getMany(['k', 'l'])).toEqual([undefined, undefined])
    expect(await cache.has('k')).toBe(false)
    expect(await cache.set('k', 1)).toEqual({ version: 0 })
    expect(await cache.delete('k')).toBe(false)
    await expect(cache.add('k', 1)).rejects.toThrow()
    await expect(cache.increment('k')).rejects.toThrow()
    await expect(cache.set('nul\0', 1)).rejects.toMatchObject({ field: 'key' })
    await stash.close()
  })
})

describe('a server that accepts and never answers', () => {
  it('fails the calls within their time limit', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const stash = new PgStash({ connectionString: `postgres://a@127.0.0.1:${port}/b`, timeoutMs: 500 })
    const started = performance.now()
    const calls = [stash.namespace('a').get('k'), stash.namespace('a').set('k', 1), stash.namespace('a').clear()]
    const settled = await Promise.allSettled(calls)
    expect(performance.now() - started).toBeLessThan(600 + 200)
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true)
    for (const socket of sockets) socket.destroy()
    silent.close()
    await stash.close()
  })
})

describe('a pool of the caller', () => {
  it('is used and not closed; its type parsers change nothing', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 3 })
    pg.types.setTypeParser(20, (text) => `bigint ${text}`)
    try {
      const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
      const cache = stash.namespace('a')
      const { version } = await cache.set('k', 1, { ttl: 60_000 })
      expect(version).toBeTypeOf('number')
      expect(await cache.getEntry('k')).toMatchObject({ value: 1, version })
      await stash.close()
      expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    } finally {
      pg.types.setTypeParser(20, (text) => text)
      await pool.end()
    }
  })

  it('may hold one connection only', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
    const cache = stash.namespace('a')
    await Promise.all(Array.from({ length: 500 }, (_, at) => cache.set(`k${at}`, at)))
    expect(await Promise.all([cache.get('k1'), cache.getEntry('k2'), cache.clear()])).toHaveLength(3)
    await stash.close()
    await pool.end()
  })

  it('that loses a prepared statement is asked without names from then on', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
    const cache = stash.namespace('a')
    await cache.set('k', 1)
    expect(await cache.get('k')).toBe(1)
    // What a pooler in transaction mode does: another server connection, without the statement.
    await pool.query('deallocate all')
    expect(await cache.get('k')).toBe(1)
    expect((await pool.query('select count(*)::int as n from pg_prepared_statements')).rows).toEqual([{ n: 0 }])
    await stash.close()
    await pool.end()
  })

  it('loses it for several statements in flight at once', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 3 })
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
    const cache = stash.namespace('a')
    const busy = () => Promise.all([cache.get('a'), cache.getEntry('b'), cache.set('c', 1)])
    for (let round = 0; round < 5; round += 1) await busy()
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
    for (const client of clients) {
      await client.query('deallocate all')
      client.release()
    }
    expect((await busy())[2].version).toBeGreaterThan(0)
    await stash.close()
    await pool.end()
  })
})

describe('a schema that is dropped under a running stash', () => {
  it('is made again by the next call but one', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
    await stash.namespace('a').set('k', 1)
    await pool.query(`drop schema ${stash.schema} cascade`)
    await expect(stash.namespace('a').get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_DATABASE' })
    expect(await stash.namespace('a').get('k')).toBeUndefined()
    await stash.close()
    await pool.end()
  })
})

describe('a connection that is lost', () => {
  it('in the middle of a migration fails the call, not the process', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
    const holder = await pool.connect()
    const schema = freshSchema()
    await holder.query(`begin; select pg_advisory_xact_lock(hashtextextended('pgstash:${schema}', 0))`)
    const stash = new PgStash({ connectionString: inject('postgresUrl'), schema, application_name: schema })
    const ready = stash.ready()
    const settled = Promise.allSettled([ready])
    const kill = `select count(pg_terminate_backend(pid))::int as n from pg_stat_activity where application_name = $1 and wait_event = 'advisory'`
    await vi.waitFor(async () => expect((await pool.query(kill, [schema])).rows[0].n).toBe(1), { timeout: 5_000 })
    expect((await settled)[0]).toMatchObject({
      status: 'rejected',
      reason: { code: 'ERR_PGSTASH_CONNECTION', outcome: 'unknown' },
    })
    await holder.query('rollback')
    holder.release()
    await stash.ready()
    await stash.close()
    await pool.end()
  })

  it('while the migration waits, ends at the time limit', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    const holder = await pool.connect()
    const schema = freshSchema()
    await holder.query(`begin; select pg_advisory_xact_lock(hashtextextended('pgstash:${schema}', 0))`)
    const stash = new PgStash({ connectionString: inject('postgresUrl'), schema, timeoutMs: 500 })
    await expect(stash.ready()).rejects.toMatchObject({ code: 'ERR_PGSTASH_TIMEOUT' })
    await stash.close()
    await holder.query('rollback')
    holder.release()
    await pool.end()
  })
})

describe("a caller's pool", () => {
  it.each([
    ['of pg 8.11', () => new oldPg.Pool({ connectionString: inject('postgresUrl') })],
    // `pg` refuses submittables there.
    ['that pipelines', () => new pg.Pool({ connectionString: inject('postgresUrl'), pipeline: true } as pg.PoolConfig)],
  ])('%s serves the verbs, and gives a broken connection up', async (_, open) => {
    const pool = open() as pg.Pool
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema(), timeoutMs: 5_000 })
    const cache = stash.namespace('a')
    await cache.set('k', { a: 1 })
    expect(await cache.get('k')).toEqual({ a: 1 })
    await Promise.all(Array.from({ length: 100 }, (_, at) => cache.set(`k${at}`, at)))
    expect(await cache.getMany(['k1', 'k99', 'none'])).toEqual([1, 99, undefined])
    await pool.query(`alter table ${stash.schema}.entry rename to gone`)
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_DATABASE', sqlState: '42P01' })
    await pool.query(`alter table ${stash.schema}.gone rename to entry`)
    expect(await cache.get('k')).toEqual({ a: 1 })
    await stash.close()
    await pool.query(`drop schema ${stash.schema} cascade`)
    await pool.end()
  })
})

describe('plans', () => {
  /** Buffers that the verbs touch in these tables, which no autovacuum touches, and in their indexes. */
  const touched = async (pool: pg.Pool, schema: string, tables: readonly string[]) => {
    await reportStatistics((text) => pool.query(text))
    const { rows } = await pool.query(
      `select sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) as n from pg_statio_user_tables where schemaname = $1 and relname = any ($2)`,
      [schema, tables],
    )
    return Number(rows[0].n)
  }

  it('look up keys, however small the table was when they were made', { timeout: 60_000 }, async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
    const cache = stash.namespace('a')
    const keys = Array.from({ length: 50 }, (_, at) => `k${at}`)
    await stash.ready()
    await pool.query(`alter table ${stash.schema}.entry set (autovacuum_enabled = off)`)
    await cache.set('only', 1)
    await pool.query(`analyze ${stash.schema}.entry`)
    const verbs: [name: string, run: () => Promise<unknown>][] = [
      ['get', () => cache.get('k1')],
      ['getMany', () => cache.getMany(keys)],
      ['hasMany', () => cache.hasMany(keys)],
      ['getEntry', () => cache.getEntry('k1')],
      ['setMany', () => cache.setMany(keys.map((key) => ({ key, value: 1 })))],
      ['add', () => cache.add('k1', 1)],
      ['increment', () => cache.increment('k1')],
      ['compareAndSet', () => cache.compareAndSet('k1', 5, 1)],
      ['touch', () => cache.touch('k1', 60_000)],
      ['take', () => cache.take('k1')],
      ['deleteMany', () => cache.deleteMany(keys)],
      [
        'keys',
        async () => {
          for await (const _ of cache.keys({ prefix: 'only' })) break
        },
      ],
      ['deleteByPrefix', () => cache.deleteByPrefix('k')],
    ]
    for (let round = 0; round < 7; round += 1) for (const [, run] of verbs) await run()
    await stash
      .namespace('crowd')
      .setMany(Array.from({ length: 20_000 }, (_, at) => ({ key: `c${at}`, value: 'x'.repeat(100) })))
    await cache.setMany(Array.from({ length: 20_000 }, (_, at) => ({ key: `z${at}`, value: 'x'.repeat(100) })))
    const costs: Record<string, number> = {}
    for (const [name, run] of verbs) {
      const before = await touched(pool, stash.schema, ['entry'])
      await run()
      costs[name] = (await touched(pool, stash.schema, ['entry'])) - before
    }
    // A scan would touch more than a thousand; 50 look-ups and their writes stay well below.
    expect(Object.entries(costs).filter(([, blocks]) => blocks > 700)).toEqual([])
    await stash.close()
    await pool.end()
  })

  it.each(['column', 'rls'] as const)(
    'look up sessions and counters, however small their tables were: %s',
    { timeout: 90_000 },
    async (isolation) => {
      const schema = freshSchema()
      const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
      if (isolation === 'rls') {
        await pool.query(`create role ${schema}_app login`)
        await pool.query(printSchema({ schema, isolation, appRole: `${schema}_app` }))
      }
      // One connection, so one plan for each statement.
      const connectionString =
        isolation === 'rls' ? urlAs(`${schema}_app`, inject('postgresUrl')) : inject('postgresUrl')
      const own = new pg.Pool({ connectionString, max: 1 })
      const stash = new PgStash({ pool: own as PgPool, schema, isolation, migrate: isolation === 'column' })
      const sessions = new Sessions({ stash, userId: ({ user }) => user as string })
      const limiterOf = (options: RateLimiterOptions) => new RateLimiter({ stash, denyCache: false, ...options })
      const limiters = (['fixed-window', 'sliding-window', 'gcra'] as const).map((algorithm) =>
        limiterOf({ limit: 10, windowMs: 3_600_000, algorithm }),
      )
      const Store = fastifyRateLimitStore({ stash, denyCache: false })
      const continuing = new Store({ continueExceeding: true })
      const hit = (key: string) =>
        new Promise((resolve, reject) =>
          continuing.incr(key, (error, answer) => (error ? reject(error) : resolve(answer)), 3_600_000, 5),
        )
      const several = limiterOf({ name: 'several', limits: [1_000, 2_000].map((windowMs) => ({ limit: 5, windowMs })) })
      const keys = Array.from({ length: 50 }, (_, at) => `k${at}`)
      const all = (run: (key: string) => Promise<unknown>) => () => Promise.all(keys.map(run))
      await stash.ready()
      for (const table of ['session', 'counter']) {
        await pool.query(`alter table ${stash.schema}.${table} set (autovacuum_enabled = off)`)
      }
      await sessions.set('only', { user: 'u' })
      await limiters[0]?.consume('only')
      await pool.query(`analyze ${stash.schema}.session; analyze ${stash.schema}.counter`)
      const verbs: [name: string, run: () => Promise<unknown>][] = [
        ['get one', () => sessions.get('k1')],
        ['get', all((key) => sessions.get(key))],
        ['set', all((key) => sessions.set(key, { user: key, at: Math.random() }))],
        ['touch', all((key) => sessions.touch(key, {}))],
        ['destroy', all((key) => sessions.destroy(key))],
        ['listByUser', () => sessions.listByUser('k1')],
        ['destroyByUser', () => sessions.destroyByUser('k2')],
        ...limiters.map((limiter, at): [string, () => Promise<unknown>] => [
          `consume ${at}`,
          all((key) => limiter.consume(key)),
        ]),
        ['peek', all((key) => limiters[0]?.peek(key) as Promise<unknown>)],
        ['penalty', all((key) => limiters[1]?.penalty(key) as Promise<unknown>)],
        ['several', all((key) => several.consume(key))],
        ['reset', all((key) => limiters[2]?.reset(key) as Promise<unknown>)],
        ['a window begun anew', all(hit)],
      ]
      for (let round = 0; round < 7; round += 1) for (const [, run] of verbs) await run()
      const crowd = Array.from({ length: 20_000 }, (_, at) => `c${at}`)
      await Promise.all(crowd.map((id) => sessions.set(id, { user: id, text: 'x'.repeat(100) })))
      for (const limiter of [...limiters, several]) await Promise.all(crowd.map((key) => limiter.consume(key)))
      await Promise.all(crowd.map(hit))
      // A scan would touch more than two thousand; 50 look-ups of two rows each, locked and written, stay well below. Not while a transaction of another test keeps
      // the server from pruning what was overwritten: a plan that scans does so at every look.
      const scanning = async () => {
        const costs: [name: string, blocks: number][] = []
        for (const [name, run] of verbs) {
          const before = await touched(own, stash.schema, ['session', 'counter'])
          await run()
          costs.push([name, (await touched(own, stash.schema, ['session', 'counter'])) - before])
        }
        return costs.filter(([, blocks]) => blocks > 1_500)
      }
      await expect.poll(scanning, { timeout: 40_000, interval: 1_000 }).toEqual([])
      await stash.close()
      await own.end()
      await pool.query(`drop schema ${schema} cascade`)
      if (isolation === 'rls') await pool.query(`drop role ${schema}_app`)
      await pool.end()
    },
  )
})

describe.runIf(hasPgBouncer)('PgBouncer in transaction mode', () => {
  it('serves every verb, tenants interleaved', { timeout: 60_000 }, async () => {
    const bouncer = await PgBouncer.before(inject('postgresUrl'))
    const schema = freshSchema()
    const stashes = Array.from({ length: 3 }, () => new PgStash({ connectionString: bouncer.url, schema, max: 4 }))
    try {
      await Promise.all(
        stashes.map(async (stash, at) => {
          const cache = stash.tenant(`t${at}`).namespace('a')
          for (let round = 0; round < 50; round += 1) {
            await Promise.all(Array.from({ length: 20 }, (_, key) => cache.set(`k${key}`, `${at}.${round}.${key}`)))
            expect(await cache.getMany(['k0', 'k19'])).toEqual([`${at}.${round}.0`, `${at}.${round}.19`])
            expect(await cache.get('k5')).toBe(`${at}.${round}.5`)
          }
          expect(await cache.increment('n', 3)).toBe(3)
          expect(await cache.take('k1')).toBe(`${at}.49.1`)
          await cache.clear()
          expect(await cache.get('k0')).toBeUndefined()
          const [sessions, limiter] = [
            new Sessions({ stash, tenant: `t${at}` }),
            new RateLimiter({ stash, tenant: `t${at}`, limit: 7, windowMs: 3_600_000 }),
          ]
          await Promise.all(Array.from({ length: 20 }, (_, id) => sessions.set(`s${id}`, { at, id })))
          expect(await sessions.get('s3')).toEqual({ at, id: 3 })
          const hits = await Promise.all(Array.from({ length: 20 }, () => limiter.consume('k')))
          expect(hits.filter(({ isAllowed }) => isAllowed)).toHaveLength(7)
        }),
      )
    } finally {
      await Promise.all(stashes.map((stash) => stash.close()))
      await bouncer.stop()
    }
  })
})
