import pg from 'pg'
import oldPg from 'pg-8.11'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import type { PgPool } from '../../src/postgres/wire/pg/driver'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { printSchema } from '../../src/stash/schema-script'
import { Sessions } from '../../src/stash/sessions/store'
import { freshSchema, urlAs } from '../support/bodies'
import { openPGlite } from '../support/servers/pglite'

const isolations = ['column', 'rls'] as const
type Isolation = (typeof isolations)[number]

/** One schema for each isolation, and a role that the policies hold for. */
const schemas = { column: freshSchema(), rls: freshSchema() }
const role = `${schemas.rls}_app`
let admin: pg.Pool

beforeAll(async () => {
  admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
  await admin.query(printSchema({ schema: schemas.column }))
  await admin.query(`create role ${role} login`)
  await admin.query(printSchema({ schema: schemas.rls, isolation: 'rls', appRole: role }))
})
afterAll(async () => {
  for (const schema of Object.values(schemas)) await admin.query(`drop schema ${schema} cascade`)
  await admin.query(`drop role ${role}`)
  await admin.end()
})

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Any pool of the caller's, of any make. */
type AnyPool = pg.Pool

const makes: Record<string, (options: pg.PoolConfig) => AnyPool> = {
  pg: (options) => new pg.Pool(options),
  'pg 8.11': (options) => new oldPg.Pool(options) as unknown as AnyPool,
  'a pool that pipelines': (options) => new pg.Pool({ ...options, pipeline: true } as pg.PoolConfig),
  'a pool that tells nothing of its clients': (options) => silent(new pg.Pool(options)),
}

/** What only looks like a pool: its clients have the verbs, and no more. */
function silent(pool: pg.Pool): AnyPool {
  const bare = (client: pg.PoolClient) => ({
    query: client.query.bind(client),
    release: client.release.bind(client),
    on: client.on.bind(client),
    removeListener: client.removeListener.bind(client),
  })
  const looksLike = {
    query: pool.query.bind(pool),
    connect: async () => bare(await pool.connect()),
    end: () => pool.end(),
    options: { max: pool.options.max },
  }
  return looksLike as unknown as AnyPool
}

function open(make: string, max: number, isolation: Isolation) {
  const url = inject('postgresUrl')
  const connectionString = isolation === 'rls' ? urlAs(role, url) : url
  const pool = (makes[make] as (options: pg.PoolConfig) => AnyPool)({ connectionString, max })
  const stash = new PgStash({ pool: pool as PgPool, schema: schemas[isolation], isolation, migrate: false })
  closing.push(
    () => pool.end(),
    () => stash.close(),
  )
  return { pool, stash }
}

/** What an app does that returns between begin and commit: each of its clients comes back with a transaction open. */
async function poison(pool: AnyPool, clients: number, begin = 'begin'): Promise<void> {
  const taken = await Promise.all(Array.from({ length: clients }, () => pool.connect()))
  for (const client of taken) await client.query(begin)
  for (const client of taken) client.release()
}

/** What everybody else sees of the key. */
async function seen(isolation: Isolation, key: string): Promise<unknown> {
  const { rows } = await admin.query(`select value from ${schemas[isolation]}.entry where key = $1`, [key])
  return rows[0]?.value
}

describe.each(Object.keys(makes))('a connection that comes with a transaction open: %s', (make) => {
  it.each([1, 10].flatMap((max) => isolations.map((isolation) => [max, isolation] as const)))(
    'of %d, isolation %s: what is acknowledged is committed',
    async (max, isolation) => {
      const { pool, stash } = open(make, max, isolation)
      const cache = stash.namespace('a')
      await cache.set('first', 0)
      for (const begin of ['begin', 'begin; select 1/0', 'begin read only', 'begin isolation level serializable']) {
        const key = `${make} ${max} ${begin}`
        if (begin.includes('/')) await poisonFailed(pool, max)
        else await poison(pool, max, begin)
        await cache.set(key, 1)
        expect(await seen(isolation, key)).toBe('1')
        await poison(pool, 1)
        expect(await cache.increment(`${key} n`)).toBe(1)
        expect(await seen(isolation, `${key} n`)).toBe('1')
        expect(await cache.get(key)).toBe(1)
      }
    },
  )

  it.each(isolations)('isolation %s: of counters, sessions, clears and listings too', async (isolation) => {
    const { pool, stash } = open(make, 2, isolation)
    const limiter = new RateLimiter({ stash, name: make, limit: 5, windowMs: 60_000 })
    const block = { blockMs: 60_000 }
    const several = new RateLimiter({ stash, name: `${make} several`, limit: 5, windowMs: 60_000, block })
    const sessions = new Sessions({ stash, namespace: make, userId: () => 'u' })
    const cache = stash.namespace(make)
    await cache.set('gone', 1)
    const steps: [name: string, run: () => Promise<unknown>][] = [
      ['consume', () => limiter.consume('c')],
      ['several', () => several.consume('c')],
      ['session', () => sessions.set('s', { n: 1 })],
      ['touch', () => sessions.touch('s', { n: 1 })],
      ['clear', () => cache.clear()],
      ['delete by user', () => sessions.destroyByUser('nobody')],
      ['deleteByPrefix', () => cache.deleteByPrefix('none')],
    ]
    for (const [, run] of steps) {
      await poison(pool, 2)
      await run()
    }
    const other = open('pg', 1, isolation).stash
    const otherLimiter = new RateLimiter({ stash: other, name: make, limit: 5, windowMs: 60_000 })
    expect(await otherLimiter.peek('c')).toMatchObject({ used: 1 })
    expect(await new Sessions({ stash: other, namespace: make }).get('s')).toMatchObject({ n: 1 })
    expect(await other.namespace(make).get('gone')).toBeUndefined()
  })

  it('many calls at once, while the app goes on doing it', async () => {
    const { pool, stash } = open(make, 4, 'column')
    const cache = stash.namespace('a')
    await cache.set('first', 0)
    let isOver = false
    const app = (async () => {
      for (let round = 0; !isOver && round < 200; round += 1) await poison(pool, 1)
    })()
    const acknowledged: string[] = []
    for (let round = 0; round < 10; round += 1) {
      const keys = Array.from({ length: 20 }, (_, at) => `${make} busy ${round} ${at}`)
      const results = await Promise.allSettled(keys.map((key) => cache.set(key, 1)))
      acknowledged.push(...keys.filter((_, at) => results[at]?.status === 'fulfilled'))
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_PGSTASH_OPEN_TRANSACTION' })
    }
    isOver = true
    await app
    const { rows } = await admin.query(`select key from ${schemas.column}.entry where key = any ($1)`, [acknowledged])
    expect(rows).toHaveLength(acknowledged.length)
    expect(acknowledged.length).toBeGreaterThan(0)
  })

  it('a transaction of ours does not run inside, and does not end it', async () => {
    const { pool } = open(make, 1, 'column')
    const table = `public.t_${freshSchema()}`
    await admin.query(`create table ${table} (n int)`)
    closing.push(() => admin.query(`drop table ${table}`))
    const schema = freshSchema()
    closing.push(() => admin.query(`drop schema if exists ${schema} cascade`))
    const stash = new PgStash({ pool: pool as PgPool, schema })
    closing.push(() => stash.close())
    await poison(pool, 1, `begin; insert into ${table} values (1)`)
    expect(await stash.migrate()).not.toEqual([])
    await stash.namespace('a').set('k', 1)
    expect((await admin.query(`select value from ${schema}.entry`)).rows).toEqual([{ value: '1' }])
    expect((await admin.query(`select n from ${table}`)).rows).toEqual([])
  })
})

async function poisonFailed(pool: AnyPool, clients: number): Promise<void> {
  const taken = await Promise.all(Array.from({ length: clients }, () => pool.connect()))
  for (const client of taken) {
    await client.query('begin')
    await client.query('select 1/0').catch(() => {})
  }
  for (const client of taken) client.release()
}

it('a pool whose every new connection begins one: the call fails, and names cause and next step', async () => {
  const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
  const stash = new PgStash({ pool: pool as PgPool, schema: schemas.column, migrate: false })
  closing.push(
    () => pool.end(),
    () => stash.close(),
  )
  await stash.ready()
  pool.on('connect', (client) => void client.query('begin'))
  await poison(pool, 2)
  const refused = { code: 'ERR_PGSTASH_OPEN_TRANSACTION', outcome: 'rolled-back' }
  const error = await stash
    .namespace('a')
    .set('never', 1)
    .catch((reason) => reason)
  expect(error).toMatchObject(refused)
  expect(error.message).toMatch(/transaction open.*Release a client only after commit or rollback/)
  await expect(stash.migrate()).rejects.toMatchObject(refused)
  expect(await seen('column', 'never')).toBeUndefined()
})

it('the reason is told to the pool, whose connection is given up', async () => {
  const { pool, stash } = open('pg', 1, 'column')
  await stash.ready()
  await poison(pool, 1)
  const reasons: unknown[] = []
  pool.on('release', (reason) => reasons.push(reason))
  await stash.namespace('a').set('told', 1)
  expect(reasons.filter(Boolean)).toMatchObject([{ code: 'ERR_PGSTASH_OPEN_TRANSACTION' }])
})

it('a begin that was still on its way when the client came back is seen too', async () => {
  const { pool, stash } = open('pg', 1, 'column')
  await stash.ready()
  const client = await pool.connect()
  const begun = client.query('select pg_sleep(0.05); begin')
  client.release()
  const set = stash.namespace('a').set('queued', 1)
  await begun
  await set
  expect(await seen('column', 'queued')).toBe('1')
})

describe('PGlite', () => {
  it('in which the app has begun by exec: calls fail by name, and are served after its end', {
    timeout: 60_000,
  }, async () => {
    const pglite = await openPGlite()
    const stash = new PgStash({ pglite })
    const cache = stash.namespace('a')
    const limiter = new RateLimiter({ stash, limit: 5, windowMs: 60_000 })
    const sessions = new Sessions({ stash })
    await cache.set('k', 0)
    await pglite.exec('begin')
    const calls = {
      set: () => cache.set('k', 1),
      setMany: () => cache.setMany([{ key: 'k', value: 1 }]),
      increment: () => cache.increment('n'),
      delete: () => cache.delete('k'),
      clear: () => cache.clear(),
      consume: () => limiter.consume('c'),
      session: () => sessions.set('s', {}),
      migrate: () => stash.migrate(),
      sweep: () => stash.sweep(),
    }
    const answers: Record<string, unknown> = {}
    for (const [name, call] of Object.entries(calls))
      answers[name] = await call().then(
        () => 'acknowledged',
        ({ code }) => code,
      )
    expect(Object.entries(answers).filter(([, code]) => code !== 'ERR_PGSTASH_OPEN_TRANSACTION')).toEqual([])
    await pglite.exec('rollback')
    expect(await cache.get('k')).toBe(0)
    await cache.set('k', 2)
    // Others wait for this one.
    let inside: Promise<unknown> | undefined
    await pglite.transaction(async (transaction) => {
      inside = cache.set('k', 3)
      await transaction.query('select 1')
      await transaction.rollback()
    })
    await inside
    expect(await cache.get('k')).toBe(3)
    await stash.close()
    await pglite.close()
  })
})
