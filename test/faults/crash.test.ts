import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { rounds } from '../support/depth'
import { Load } from '../support/load'
import { durableSettings, TestServer } from '../support/servers/postgres'
import { reportStatistics } from '../support/servers/statistics'
import { sleep } from '../support/sleep'

/**
 * All processes of the server end at once, with SIGKILL. The operating system stays, so this shows what the server itself may
 * lose; what a disk loses is for fsync, which is on.
 */
describe('a server that crashes under load', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await (await TestServer.create(durableSettings)).start()
  })
  afterAll(() => server.remove())

  const open = (schema: string, options = {}) =>
    new PgStash({ connectionString: server.url(), schema, timeoutMs: 5_000, ...options })

  const rowsOf = async (schema: string, table: string) => {
    const client = new pg.Client(server.url())
    await client.connect()
    const { rows } = await client.query(`select count(*)::int as n from ${schema}.${table}`)
    await client.end()
    return rows[0].n
  }

  it('loses nothing that it acknowledged, and is served again without a restart of the app', {
    timeout: 120_000,
  }, async () => {
    const stash = open('logged')
    const load = await Load.on(stash)
    for (let crash = 0; crash < rounds({ shallow: 1, deep: 5 }); crash += 1) {
      await load.recovers()
      await server.crash()
      await sleep(200)
      await server.start()
    }
    await load.recovers()
    const report = await load.stop()
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(await load.audit({ hasCrashed: true })).toEqual([])
    await stash.close()
  })

  it('gives no version twice', { timeout: 120_000 }, async () => {
    const stash = open('versions')
    const cache = stash.namespace('a')
    const versions = new Set<number>()
    let newest = 0
    for (let crash = 0; crash < rounds({ shallow: 2, deep: 6 }); crash += 1) {
      for (let at = 0; at < 40; at += 1) {
        const { version } = await cache.set('k', at)
        expect(version).toBeGreaterThan(newest)
        expect(versions.has(version)).toBe(false)
        versions.add(version)
        newest = version
      }
      await server.crash()
      await server.start()
      await expect.poll(() => cache.get('k').catch(() => undefined), { timeout: 10_000 }).toBe(39)
    }
    await stash.close()
  })

  it('empties unlogged entries and counters, keeps sessions, and fills them again', async () => {
    const stash = open('unlogged', { unlogged: true })
    const load = await Load.on(stash)
    await load.recovers()
    // Everybody has a session by then.
    await expect.poll(() => rowsOf('unlogged', 'session'), { timeout: 10_000 }).toBeGreaterThanOrEqual(16)
    await server.crash()
    const report = await load.stop()
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    await server.start()
    expect([await rowsOf('unlogged', 'entry'), await rowsOf('unlogged', 'counter')]).toEqual([0, 0])
    expect(await rowsOf('unlogged', 'session')).toBeGreaterThanOrEqual(16)
    await expect
      .poll(
        () =>
          stash
            .namespace('load')
            .get('own-0')
            .catch((e) => e),
        { timeout: 10_000 },
      )
      .toBeUndefined()
    expect(await load.auditSessions()).toEqual([])
    const next = await Load.on(stash, { name: 'next' })
    await next.recovers()
    expect(await next.stop()).toMatchObject({ failures: {}, hanging: [], wrong: [] })
    expect(await next.audit()).toEqual([])
    await stash.close()
  })
})

describe('plans after a crash that emptied the tables', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await (await TestServer.create(durableSettings)).start()
  })
  afterAll(() => server.remove())

  it.each([
    ['once the app was started again', true],
    ['in the app that went on', false],
  ])('look up keys, %s', async (_, isRestarted) => {
    const schema = isRestarted ? 'restarted' : 'running'
    const pool = new pg.Pool({ connectionString: server.url(), max: 1 })
    pool.on('error', () => {})
    const open = () => new PgStash({ pool, schema, unlogged: true })
    let stash = open()
    await stash.namespace('a').set('k', 1)
    // What autovacuum would see only later.
    for (const table of ['entry', 'counter'])
      await pool.query(`alter table ${schema}.${table} set (autovacuum_enabled = off)`)
    await server.crash()
    await server.start()
    if (isRestarted) {
      await stash.close()
      stash = open()
    }
    const cache = stash.namespace('a')
    await expect.poll(() => cache.get('k').catch((error) => error), { timeout: 10_000 }).toBeUndefined()
    const keys = Array.from({ length: 50 }, (_, at) => `k${at}`)
    const limiterOf = (options: object) => new RateLimiter({ stash, denyCache: false, ...options })
    const limiter = limiterOf({ limit: 10, windowMs: 3_600_000 })
    const severalLimits = limiterOf({ limits: [1, 2].map((hours) => ({ limit: 10, windowMs: hours * 3_600_000 })) })
    const verbs: [name: string, run: () => Promise<unknown>][] = [
      ['get', () => cache.get('k1')],
      ['getMany', () => cache.getMany(keys)],
      ['setMany', () => cache.setMany(keys.map((key) => ({ key, value: 1 })))],
      ['increment', () => cache.increment('k1')],
      ['touch', () => cache.touch('k1', 60_000)],
      ['deleteMany', () => cache.deleteMany(keys)],
      ['consume', () => limiter.consume('k1')],
      ['consume of many', () => Promise.all(keys.map((key) => limiter.consume(key)))],
      ['consume of several limits', () => severalLimits.consume('k1')],
      ['peek', () => limiter.peek('k1')],
      ['penalty', () => limiter.penalty('k1')],
    ]
    for (let round = 0; round < 7; round += 1) for (const [, run] of verbs) await run()
    await cache.setMany(Array.from({ length: 10_000 }, (_, at) => ({ key: `z${at}`, value: 'x'.repeat(100) })))
    await Promise.all(Array.from({ length: 10_000 }, (_, at) => limiter.consume(`z${at}`)))
    const costs: Record<string, number> = {}
    for (const [name, run] of verbs) {
      const before = await touched(pool, schema)
      await run()
      costs[name] = (await touched(pool, schema)) - before
    }
    expect(Object.entries(costs).filter(([, blocks]) => blocks > 700)).toEqual([])
    await stash.close()
    await pool.end()
  })
})

/** Buffers that were touched so far in the tables of a schema and their indexes, by the one connection of the pool. */
async function touched(pool: pg.Pool, schema: string): Promise<number> {
  await reportStatistics((text) => pool.query(text))
  const { rows } = await pool.query(
    `select sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::int as n from pg_statio_user_tables where schemaname = $1`,
    [schema],
  )
  return rows[0].n
}
