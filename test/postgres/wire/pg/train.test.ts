import { Socket } from 'node:net'
import pg from 'pg'
import oldPg from 'pg-8.11'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import type { PgPool } from '../../../../src/postgres/wire/pg/driver'
import type { Cache } from '../../../../src/stash/entries/cache'
import { RateLimiter } from '../../../../src/stash/limits/rate-limiter'
import type { PgStashOptions } from '../../../../src/stash/options/told'
import { PgStash } from '../../../../src/stash/pg-stash'
import { Sessions } from '../../../../src/stash/sessions/store'
import { freshSchema } from '../../../support/bodies'
import { IsolatedSchema } from '../../../support/schemas/isolated'
import { FaultyProxy } from '../../../support/servers/faulty-proxy'
import { sleep } from '../../../support/sleep'

const url = inject('postgresUrl')
const schema = freshSchema()
const admin = new pg.Pool({ connectionString: url, max: 2 })
admin.on('error', () => {})
const stashes: PgStash[] = []

function open(options?: PgStashOptions): PgStash {
  const stash = new PgStash({ connectionString: url, schema, sweeper: false, ...options })
  stashes.push(stash)
  return stash
}

/** Of a `pg` that tells no status of a transaction before a statement of ours has listened for it. */
function oldPool(connectionString: string, options: object): PgPool & { end(): Promise<void> } {
  return new oldPg.Pool({ connectionString, ...options }) as unknown as PgPool & { end(): Promise<void> }
}

/** The stores of an app on one stash. */
function appOn(stash: PgStash) {
  const limiter = new RateLimiter({ stash, name: 'trains', limit: 1_000_000, windowMs: 3_600_000 })
  return { cache: stash.namespace('trains'), sessions: new Sessions({ stash }), limiter }
}

const session = (name: string) => ({ cookie: { originalMaxAge: 60_000 }, name })

/** One call of each kind, all asked in one tick. */
async function oneOfEach({ cache, sessions, limiter }: ReturnType<typeof appOn>, at: number) {
  const [value, held, hit, written] = await Promise.all([
    cache.get(`k${at}`),
    sessions.get(`s${at}`),
    limiter.consume(`c${at}`),
    cache.set(`w${at}`, at),
  ])
  return { value, name: held?.name, isAllowed: hit.isAllowed, isWritten: written.version > 0 }
}

async function fill({ cache, sessions }: ReturnType<typeof appOn>, count: number) {
  const each = Array.from({ length: count }, (_, at) => at)
  await cache.setMany(each.map((at) => ({ key: `k${at}`, value: at })))
  await Promise.all(each.map((at) => sessions.set(`s${at}`, session(`n${at}`))))
}

const answered = (at: number) => ({ value: at, name: `n${at}`, isAllowed: true, isWritten: true })

beforeAll(async () => {
  const stash = open()
  await fill(appOn(stash), 50)
})
afterEach(() => void vi.restoreAllMocks())
afterAll(async () => {
  for (const stash of stashes) await stash.close()
  await admin.query(`drop schema ${schema} cascade`)
  await admin.end()
})

describe('what is asked in one tick', () => {
  it('leaves in one packet, of whatever kind, and each gets its own answer', async () => {
    const app = appOn(open())
    await oneOfEach(app, 0)
    const packets = vi.spyOn(Socket.prototype, '_writev' as never)
    for (let at = 0; at < 20; at += 1) expect(await oneOfEach(app, at)).toEqual(answered(at))
    expect(packets).toHaveBeenCalledTimes(20)
  })

  it('is answered right the first time, when every name is new to the connection', async () => {
    for (let at = 0; at < 5; at += 1) expect(await oneOfEach(appOn(open({ max: 1 })), at)).toEqual(answered(at))
  })

  it('goes one by one to a client that does not tell how it stands', async () => {
    const pool = oldPool(url, { max: 3 })
    const app = appOn(open({ connectionString: undefined, pool }))
    for (let at = 0; at < 10; at += 1) expect(await oneOfEach(app, at)).toEqual(answered(at))
    await pool.end()
  })

  it('goes on one by one where the first statement on such a client fails', async () => {
    const pool = oldPool(url, { max: 1, idleTimeoutMillis: 10 })
    const stash = open({ connectionString: undefined, pool })
    const app = appOn(stash)
    await stash.ready()
    // By then the connection has been closed for idleness: the next one is new, and has told nothing yet.
    await sleep(100)
    await admin.query(`alter table ${schema}.session rename to session_away`)
    const told = await Promise.allSettled([app.sessions.get('s1'), app.cache.get('k1'), app.cache.ttl('k1')])
    await admin.query(`alter table ${schema}.session_away rename to session`)
    expect(told.slice(1)).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'fulfilled', value: null },
    ])
    await pool.end()
  })
})

describe('tenants under row-level security, whose statements bear one name', () => {
  let isolated: IsolatedSchema
  const tenants = ['a', 'b', 'c', 'd']

  beforeAll(async () => {
    isolated = await IsolatedSchema.make(url)
    const stash = isolated.open()
    await Promise.all(tenants.map((name) => stash.tenant(name).namespace('n').set('k', name)))
  })
  afterAll(() => isolated.drop())

  const each = <T>(stash: PgStash, names: readonly string[], ask: (cache: Cache) => Promise<T>) =>
    Promise.all(names.map((name) => ask(stash.tenant(name).namespace('n'))))

  it('are kept apart', async () => {
    const stash = isolated.open({ max: 2 })
    for (let round = 0; round < 20; round += 1) {
      const found = await each(stash, [...tenants, 'nobody'], (cache) => cache.get('k'))
      expect(found).toEqual([...tenants, undefined])
    }
  })

  it('prepare it once, also where the client does not note what is on its way', async () => {
    const pool = oldPool(isolated.urlOf(isolated.app), { max: 1 })
    const stash = isolated.open({ connectionString: undefined, pool })
    expect(await each(stash, ['a'], (cache) => cache.get('k'))).toEqual(['a'])
    expect(await each(stash, tenants, (cache) => cache.ttl('k'))).toEqual(tenants.map(() => null))
    // The connection was not given up, nor names.
    expect(await each(stash, ['a'], (cache) => cache.get('k'))).toEqual(['a'])
    const { rows } = (await pool.query({ text: 'select name from pg_prepared_statements' })) as { rows: unknown[] }
    expect(rows.length).toBeGreaterThan(2)
    await stash.close()
    await pool.end()
  })

  it('all hear of the failure to prepare it, and go on using names', async () => {
    const pool = new pg.Pool({ connectionString: isolated.urlOf(isolated.app), max: 1 })
    pool.on('error', () => {})
    const stash = isolated.open({ connectionString: undefined, pool: pool as unknown as PgPool })
    await stash.ready()
    await isolated.admin(`alter function ${isolated.schema}.read_ttls rename to read_ttls_away`)
    const told = await Promise.allSettled(tenants.map((name) => stash.tenant(name).namespace('n').ttl('k')))
    await isolated.admin(`alter function ${isolated.schema}.read_ttls_away rename to read_ttls`)
    for (const one of told)
      expect(one).toMatchObject({ status: 'rejected', reason: { sqlState: expect.not.stringMatching('26000') } })
    await vi.waitFor(() => each(stash, tenants, (cache) => cache.get('k')), { timeout: 5_000 })
    const { rows } = await pool.query(`select name from pg_prepared_statements where name like 'pgstash.entries/%'`)
    expect(rows).not.toEqual([])
    await stash.close()
    await pool.end()
  })
})

describe('what goes wrong in a train', () => {
  it('one statement that fails harms nobody, before it or behind it', async () => {
    const app = appOn(open({ max: 1 }))
    await admin.query(
      `alter table ${schema}.entry add constraint no_bad check (value is distinct from '"bad"' and value is distinct from 'bad')`,
    )
    for (let at = 0; at < 10; at += 1) {
      const [bad, rest, ttl] = await Promise.allSettled([
        app.cache.set('bad', 'bad'),
        oneOfEach(app, at),
        app.cache.ttl(`k${at}`),
      ])
      expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'ERR_PGSTASH_DATABASE', sqlState: '23514' } })
      expect(rest).toEqual({ status: 'fulfilled', value: answered(at) })
      expect(ttl).toEqual({ status: 'fulfilled', value: null })
    }
    await admin.query(`alter table ${schema}.entry drop constraint no_bad`)
  })

  it('a write that waits for a row keeps no read of its train waiting, and no later train', async () => {
    const app = appOn(open())
    await app.cache.set('locked', 1)
    await oneOfEach(app, 1)
    const holder = await admin.connect()
    await holder.query(`begin; select from ${schema}.entry where key = 'locked' for update`)
    const write = app.cache.set('locked', 2)
    const started = performance.now()
    expect(await app.cache.get('k1')).toBe(1)
    expect(await oneOfEach(app, 2)).toEqual(answered(2))
    expect(performance.now() - started).toBeLessThan(5_000)
    await holder.query('commit')
    holder.release()
    await write
    expect(await app.cache.get('locked')).toBe(2)
  })

  it('a transaction that somebody left open on the client: nothing is done in it, and everything elsewhere', async () => {
    const pool = new pg.Pool({ connectionString: url, max: 2 })
    pool.on('error', () => {})
    const app = appOn(open({ connectionString: undefined, pool: pool as unknown as PgPool }))
    await oneOfEach(app, 0)
    for (let at = 0; at < 10; at += 1) {
      const client = await pool.connect()
      await client.query('begin')
      client.release()
      expect(await oneOfEach(app, at)).toEqual(answered(at))
      expect((await admin.query(`select value from ${schema}.entry where key = 'w${at}'`)).rows).toEqual([
        { value: `${at}` },
      ])
    }
    await pool.end()
  })

  it('a schema that is dropped: the failures tell of that, and names go on being used', async () => {
    const gone = freshSchema()
    const app = appOn(open({ schema: gone, max: 1 }))
    await oneOfEach(app, 0)
    await admin.query(`drop schema ${gone} cascade`)
    const told = await Promise.allSettled([
      app.cache.get('a'),
      app.sessions.get('b'),
      app.cache.ttl('c'),
      app.limiter.consume('d'),
    ])
    for (const one of told) {
      if (one.status === 'rejected')
        expect(String(one.reason.cause?.message ?? one.reason.message)).not.toMatch(/prepared statement/)
    }
    await vi.waitFor(() => oneOfEach(app, 1), { timeout: 5_000 })
    await admin.query(`drop schema ${gone} cascade`)
  })

  it('a connection that is lost: reads go again, writes are of unknown outcome, and each call is told', async () => {
    const proxy = await FaultyProxy.before(url)
    const stash = open({ connectionString: proxy.url, timeoutMs: 5_000, breaker: false, max: 1 })
    const app = appOn(stash)
    await oneOfEach(app, 0)
    for (let round = 0; round < 5; round += 1) {
      proxy.swallowAnswers()
      const calls = Promise.allSettled([
        app.cache.get('k1'),
        app.sessions.get('s1'),
        app.cache.set('u', round),
        app.limiter.consume('u'),
      ])
      await sleep(50)
      proxy.reset()
      const [value, held, written, hit] = await calls
      expect(value).toEqual({ status: 'fulfilled', value: 1 })
      expect(held).toMatchObject({ status: 'fulfilled', value: { name: 'n1' } })
      expect(written).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_PGSTASH_CONNECTION', outcome: 'unknown' },
      })
      expect(hit).toMatchObject({ status: 'rejected', reason: { outcome: 'unknown' } })
    }
    await stash.close()
    await proxy.close()
  })

  it('an answer that does not come: each call ends at its limit, and the next train is served', async () => {
    const stash = open({ timeoutMs: 700, max: 2 })
    const app = appOn(stash)
    await app.cache.set('slow', 1)
    await oneOfEach(app, 0)
    const holder = await admin.connect()
    await holder.query(`begin; lock table ${schema}.entry in access exclusive mode`)
    const told = await Promise.allSettled([app.cache.get('slow'), app.cache.set('slow', 2), app.cache.ttl('slow')])
    expect(told.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(
      Array(3).fill('ERR_PGSTASH_TIMEOUT'),
    )
    await holder.query('rollback')
    holder.release()
    await vi.waitFor(async () => expect(await oneOfEach(app, 3)).toEqual(answered(3)), { timeout: 5_000 })
  })
})
