import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import type { PgPool } from '../../src/postgres/pg-driver'
import { PgStash } from '../../src/stash/pg-stash'
import { freshSchema } from '../support/bodies'
import { hasPgBouncer, PgBouncer } from '../support/pgbouncer'
import { TestServer } from '../support/server'
import { sleep } from '../support/sleep'

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
})

describe('plans', () => {
  it('use the primary key, also when the table was small or empty when they were made', async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    const stash = new PgStash({ pool: pool as PgPool, schema: freshSchema() })
    const cache = stash.namespace('a')
    const scans = async () =>
      (
        await pool.query(
          `select coalesce(seq_scan, 0)::int as n from pg_stat_user_tables where schemaname = $1 and relname = 'entry'`,
          [stash.schema],
        )
      ).rows
    await stash.ready()
    // A session reports its scans after a second, with its next statement. Making the primary key was one.
    await sleep(1_200)
    await pool.query('select 1')
    const before = await scans()
    await pool.query(`analyze ${stash.schema}.entry`)
    await cache.set('first', 1)
    for (let round = 0; round < 20; round += 1) {
      await cache.getMany(['first', 'x'])
      await cache.get('first')
      await cache.setMany([{ key: 'first', value: 1 }])
      await cache.deleteMany(['x'])
      await cache.touch('x', 5)
      await cache.increment('n')
    }
    await pool.query(`analyze ${stash.schema}.entry`)
    for (let round = 0; round < 20; round += 1) {
      await cache.getMany(['first', 'x'])
      await cache.get('first')
      await cache.setMany([{ key: 'first', value: 1 }])
    }
    await sleep(1_200)
    await pool.query('select 1')
    expect(await scans()).toEqual(before)
    await stash.close()
    await pool.end()
  })
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
        }),
      )
    } finally {
      await Promise.all(stashes.map((stash) => stash.close()))
      await bouncer.stop()
    }
  })
})
