import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PgClient, PgPool } from '../../src/postgres/wire/pg/driver'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { Load } from '../support/load'
import { TestServer } from '../support/servers/postgres'
import { sleep } from '../support/sleep'

let server: TestServer
let admin: pg.Pool
beforeAll(async () => {
  server = await (await TestServer.create()).start()
  admin = new pg.Pool({ connectionString: server.url(), max: 3 })
  admin.on('error', () => {})
})
afterAll(async () => {
  await admin.end()
  await server.remove()
})

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const opened = (options: PgStashOptions) => {
  const stash = new PgStash({ connectionString: server.url(), schema: 'limited', sweeper: false, ...options })
  closing.push(() => stash.close())
  return stash
}

/** Holds the row of a key against everybody, until it is told to let go. */
async function holdRow(key: string): Promise<() => Promise<void>> {
  const client = await admin.connect()
  await client.query('begin')
  await client.query('select from limited.entry where key = $1 for update', [key])
  return async () => {
    await client.query('rollback')
    client.release()
  }
}

/** Takes configs only, and pauses in each transaction. */
class PausingPool implements PgPool {
  pause = async (): Promise<void> => {}
  readonly #pool: pg.Pool

  constructor(connectionString: string) {
    this.#pool = new pg.Pool({ connectionString, max: 2 })
    this.#pool.on('error', () => {})
  }

  query: PgPool['query'] = (config) => this.#pool.query(config as pg.QueryConfig)

  connect: PgPool['connect'] = async () => {
    const client = await this.#pool.connect()
    const query: PgClient['query'] = async (config) => {
      const result = await client.query(config as pg.QueryConfig)
      if (config.text.startsWith('begin')) await this.pause()
      return result
    }
    return new Proxy(client as unknown as PgClient, {
      get: (target, name) => {
        if (name === 'query') return query
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  end(): Promise<void> {
    return this.#pool.end()
  }
}

describe('a limit of the role', () => {
  it.each([
    ['statement_timeout', '300ms', '57014', /raise statement_timeout/],
    ['lock_timeout', '200ms', '55P03', /raise lock_timeout/],
    ['transaction_timeout', '300ms', '25P04', /raise transaction_timeout/],
  ])('%s ends a call as an outage that applied nothing', async (setting, value, sqlState, nextStep) => {
    const role = `role_${setting}`
    await admin.query(`create role ${role} login superuser`)
    await admin.query(`alter role ${role} set ${setting} = '${value}'`)
    await opened({})
      .namespace('a')
      .setMany([
        { key: 'held', value: 0 },
        { key: 'free', value: 0 },
      ])
    const strict = opened({ connectionString: server.url('postgres', role), migrate: false })
    await strict.ready()
    const lenient = opened({ connectionString: server.url('postgres', role), migrate: false, onError: 'miss' })
    await lenient.ready()
    const letGo = await holdRow('held')
    const told = await strict
      .namespace('a')
      .set('held', 1)
      .catch((error) => error)
    const neighbours = strict.namespace('a').setMany([
      { key: 'held', value: 1 },
      { key: 'free', value: 1 },
    ])
    await expect(neighbours).rejects.toMatchObject({ outcome: 'rolled-back', sqlState })
    const missed = await lenient.namespace('a').set('held', 1)
    await letGo()
    expect(told).toMatchObject({ code: 'ERR_PGSTASH_TIMEOUT', outcome: 'rolled-back', sqlState })
    expect(told.message).toMatch(nextStep)
    expect(told.message).toMatch(/nothing was applied/)
    expect(missed).toEqual({ version: 0 })
    expect(await strict.namespace('a').getMany(['held', 'free'])).toEqual([0, 0])
    await strict.namespace('a').set('held', 2)
    expect(await strict.namespace('a').get('held')).toBe(2)
  })

  it('a limiter goes on as it was told to', async () => {
    const role = 'role_limiter'
    await admin.query(`create role ${role} login superuser`)
    await admin.query(`alter role ${role} set statement_timeout = '300ms'`)
    const stash = opened({ connectionString: server.url('postgres', role) })
    const limiters = (['open', 'closed', 'memory'] as const).map(
      (onError) => new RateLimiter({ stash, name: 'held', limit: 5, windowMs: 3_600_000, onError }),
    )
    await limiters[0]?.consume('c')
    const client = await admin.connect()
    await client.query('begin; lock table limited.counter in access exclusive mode')
    const decisions = await Promise.all(limiters.map((limiter) => limiter.consume('c')))
    await client.query('rollback')
    client.release()
    expect(decisions.map(({ isAllowed }) => isAllowed)).toEqual([true, false, true])
    expect(await limiters[0]?.peek('c')).toMatchObject({ used: 1 })
  })

  it('idle_in_transaction_session_timeout takes nothing from calls, which leave nothing idle in a transaction', async () => {
    const role = 'role_idle'
    await admin.query(`create role ${role} login superuser`)
    await admin.query(`alter role ${role} set idle_in_transaction_session_timeout = '50ms'`)
    const cache = opened({ connectionString: server.url('postgres', role) }).namespace('idle')
    await cache.set('k', 1)
    await sleep(200)
    expect(await cache.increment('k')).toBe(2)
    await cache.clear()
    expect(await cache.get('k')).toBeUndefined()
  })

  it.each([
    ['waits', sleep],
    ['is blocked', async (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)],
  ])('idle_in_transaction_session_timeout ends a transaction in which the application %s', async (how, pause) => {
    const role = `role_idle_${how.replaceAll(' ', '_')}`
    await admin.query(`create role ${role} login superuser`)
    // Where the default is another one, a pool that takes configs only gets its writes as transactions of several statements.
    await admin.query(`alter role ${role} set default_transaction_isolation = 'serializable'`)
    await admin.query(`alter role ${role} set idle_in_transaction_session_timeout = '50ms'`)
    const pool = new PausingPool(server.url('postgres', role))
    closing.push(() => pool.end())
    const stash = opened({ connectionString: undefined, pool })
    await stash.namespace('idle').set('k', 1)
    pool.pause = () => pause(400)
    const told = await stash
      .namespace('idle')
      .set('k', 2)
      .catch((error) => error)
    pool.pause = async () => {}
    expect(told).toMatchObject({ code: 'ERR_PGSTASH_TIMEOUT', outcome: 'rolled-back', sqlState: '25P03' })
    expect(told.message).toMatch(/raise idle_in_transaction_session_timeout/)
    expect(await stash.namespace('idle').get('k')).toBe(1)
    await stash.namespace('idle').set('k', 3)
    expect(await stash.namespace('idle').get('k')).toBe(3)
  })

  it('somebody who cancels it', async () => {
    const stash = opened({ application_name: 'cancelled' })
    await stash.namespace('a').set('held', 0)
    const letGo = await holdRow('held')
    const set = stash
      .namespace('a')
      .set('held', 1)
      .catch((error) => error)
    const cancel = `select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'cancelled' and wait_event_type = 'Lock'`
    await expect.poll(async () => (await admin.query(cancel)).rowCount, { timeout: 5_000 }).toBe(1)
    expect(await set).toMatchObject({ outcome: 'rolled-back', sqlState: '57014' })
    await letGo()
    expect(await stash.namespace('a').get('held')).toBe(0)
  })
})

describe('a server that is read-only for two seconds', () => {
  const setReadOnly = async (value: 'on' | 'off') => {
    await admin.query(`alter system set default_transaction_read_only = ${value}`)
    await admin.query('select pg_reload_conf()')
  }

  it('under load: nothing acknowledged is lost, reads go on, and writes recover by themselves', async () => {
    const stash = opened({ schema: 'failover', breaker: { failures: 3, cooldownMs: 300 } })
    const cache = stash.namespace('a')
    await cache.set('k', 1)
    const load = await Load.on(stash)
    await load.recovers()
    await setReadOnly('on')
    const codes = new Set<string>()
    const until = performance.now() + 2_000
    let reads = 0
    while (performance.now() < until) {
      await cache.set('k', 2).catch(({ code }) => codes.add(code))
      if ((await cache.get('k')) !== undefined) reads += 1
      await sleep(5)
    }
    await setReadOnly('off')
    await load.recovers(600)
    const report = await load.stop()
    const others = Object.keys(report.failures).filter(
      (label) => !/^(DATABASE 25006|CIRCUIT_OPEN not-sent)$/.test(label),
    )
    expect(others).toEqual([])
    expect(codes).toContain('ERR_PGSTASH_CIRCUIT_OPEN')
    expect(reads).toBeGreaterThan(10)
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(await load.audit()).toEqual([])
    expect(await cache.set('k', 3)).toHaveProperty('version')
  })

  it('is an outage to a stash that may miss, and to limiters; the connection that cannot write is given up', async () => {
    const pool = new pg.Pool({ connectionString: server.url(), max: 1 })
    pool.on('error', () => {})
    closing.push(() => pool.end())
    const stash = new PgStash({ pool, schema: 'failover', sweeper: false, onError: 'miss', breaker: false })
    closing.push(() => stash.close())
    const cache = stash.namespace('a')
    await cache.set('k', 1)
    const reasons: unknown[] = []
    pool.on('release', (reason) => reasons.push(reason))
    await pool.query('set default_transaction_read_only = on')
    expect(await cache.get('k')).toBe(1)
    expect(await cache.set('k', 2)).toEqual({ version: 0 })
    expect(reasons.filter(Boolean)).toMatchObject([{ code: '25006' }])
    await cache.set('k', 3)
    expect(await cache.get('k')).toBe(3)
    const limiter = new RateLimiter({ stash, limit: 1, windowMs: 60_000, onError: 'closed' })
    await pool.query('set default_transaction_read_only = on')
    expect(await limiter.consume('c')).toMatchObject({ isAllowed: false })
    expect(await limiter.consume('c')).toMatchObject({ isAllowed: true })
  })
})
