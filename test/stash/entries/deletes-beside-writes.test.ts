import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { LoginLimiter } from '../../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { describePostgres } from '../../support/bodies'

const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000), path: '/' }

describePostgres('who deletes rows that somebody else is writing', (body) => {
  /** Runs `work` while another process holds what `write` has written; that commits once `work` waits for it. */
  const beside = async <T>(stash: PgStash, write: string, work: () => Promise<T>): Promise<T> => {
    const writer = new pg.Client(inject('postgresUrl'))
    await writer.connect()
    const [pid] = (await writer.query('select pg_backend_pid() as pid')).rows.map((row) => row.pid as number)
    await writer.query(`begin; set search_path = ${stash.schema}; ${write}`)
    const working = work()
    const waiting = `select count(*) from pg_stat_activity where ${pid} = any (pg_blocking_pids(pid))`
    await expect.poll(async () => Number((await body.sql(waiting))[0]?.[0]), { timeout: 10_000 }).toBe(1)
    await writer.query('commit')
    await writer.end()
    return working
  }
  const rowsOf = async (stash: PgStash, table: string) =>
    Number((await body.sql(`select count(*) from ${stash.schema}.${table}`))[0]?.[0])

  describe('deletes sessions as they are then', () => {
    const seeded = async () => {
      const stash = body.open({ sweeper: false })
      const sessions = new Sessions({ stash, userId: ({ user }) => user as string })
      for (const id of ['a', 'b']) await sessions.set(id, { cookie, user: 'ada' })
      return { stash, sessions }
    }
    const touched = `update session set expires_at = expires_at + 1 where id = 'a'`

    it('of a user', async () => {
      const { stash, sessions } = await seeded()
      expect(await beside(stash, touched, () => sessions.destroyByUser('ada'))).toBe(2)
      expect(await rowsOf(stash, 'session')).toBe(0)
    })

    it('but not one that has become another user', async () => {
      const { stash, sessions } = await seeded()
      const moved = `update session set user_id = 'grace' where id = 'a'`
      expect(await beside(stash, moved, () => sessions.destroyByUser('ada'))).toBe(1)
      expect(await sessions.ids()).toEqual(['a'])
    })

    it('one by one, and all', async () => {
      const { stash, sessions } = await seeded()
      await beside(stash, touched, () => sessions.destroy('a'))
      expect(await sessions.ids()).toEqual(['b'])
      await beside(stash, touched.replace("'a'", "'b'"), () => sessions.clear())
      expect(await rowsOf(stash, 'session')).toBe(0)
    })

    it('of a whole tenant', async () => {
      const { stash } = await seeded()
      expect(await beside(stash, touched, () => stash.tenantRows('default').delete('sessions', null))).toBe(2)
      expect(await rowsOf(stash, 'session')).toBe(0)
    })

    it('of a table of connect-pg-simple', async () => {
      const stash = body.open({ sweeper: false })
      await stash.ready()
      await body.sql(
        `create table ${stash.schema}.theirs (sid varchar primary key, sess json not null, expire timestamp(6) not null)`,
      )
      const sessions = new Sessions({
        stash,
        table: `${stash.schema}.theirs`,
        userId: ({ user }) => user as string,
      })
      const theirs = `update theirs set expire = expire + interval '1 second' where sid = 'a'`
      for (const remove of [() => sessions.clear(), () => sessions.destroyByUser('ada')]) {
        for (const id of ['a', 'b']) await sessions.set(id, { cookie, user: 'ada' })
        await beside<unknown>(stash, theirs, remove)
        expect(await rowsOf(stash, 'theirs')).toBe(0)
      }
    })
  })

  describe('forgets counters as they are then', () => {
    const hit = 'update counter set hits = hits + 1'

    it('of a limiter', async () => {
      const stash = body.open({ sweeper: false })
      const limiter = new RateLimiter({ stash, limit: 5, windowMs: 60_000, name: 'a' })
      await Promise.all(['k1', 'k2'].map((key) => limiter.consume(key)))
      await beside(stash, `${hit} where key = 'k1'`, () => limiter.clear())
      expect(await rowsOf(stash, 'counter')).toBe(0)
    })

    it('of a user at every address', async () => {
      const stash = body.open({ sweeper: false })
      const logins = new LoginLimiter({ stash })
      for (const ip of ['10.0.0.1', '10.0.0.2']) await logins.begin({ username: 'ada', ip })
      await beside(stash, `${hit} where namespace like '%usernameAndIp%'`, () => logins.reset({ username: 'ada' }))
      expect((await body.sql(`select key from ${stash.schema}.counter`)).flat().sort()).toEqual([
        '10.0.0.1',
        '10.0.0.2',
      ])
    })

    it('of a whole tenant', async () => {
      const stash = body.open({ sweeper: false })
      const limiter = new RateLimiter({ stash, limit: 5, windowMs: 60_000, name: 'a' })
      await Promise.all([limiter.consume('k1'), limiter.consume('k2')])
      const all = () => stash.tenantRows('default').delete('rate-limits', null)
      expect(await beside(stash, `${hit} where key = 'k1'`, all)).toBe(2)
      expect(await rowsOf(stash, 'counter')).toBe(0)
    })
  })

  it('deletes entries as they are then: by prefix', async () => {
    const stash = body.open({ sweeper: false })
    const cache = stash.namespace('a')
    await cache.setMany(['k1', 'k2'].map((key) => ({ key, value: 1 })))
    expect(await beside(stash, `update entry set value = '2' where key = 'k1'`, () => cache.deleteByPrefix('k'))).toBe(
      2,
    )
    expect(await rowsOf(stash, 'entry')).toBe(0)
  })
})

describePostgres('clearing a large limiter', (body) => {
  it('goes in steps, each within the time limit, and forgets what was hit at any time before', {
    timeout: 60_000,
  }, async () => {
    const stash = body.open({ sweeper: false })
    const limiters = ['big', 'other'].map(
      (name) => new RateLimiter({ stash, name, limits: [60_000, 90_000].map((windowMs) => ({ limit: 5, windowMs })) }),
    ) as [RateLimiter, RateLimiter]
    for (const limiter of limiters) await limiter.consume('k')
    await body.sql(`insert into ${stash.schema}.counter (tenant, namespace, key, hits, reset_at, counted_at, expires_at)
      select tenant, namespace, 'k' || i, 1, reset_at, counted_at, expires_at from ${stash.schema}.counter, generate_series(1, 12000) i
      where namespace like 'big/%'`)
    await limiters[0].clear()
    expect(await rowsOfNamespaces(stash)).toEqual([['other', 2]])
    expect(stash.metrics().operations.find(({ operation }) => operation === 'limit.clear')?.calls).toBe(1)
  })

  const rowsOfNamespaces = async (stash: PgStash) =>
    (
      await body.sql(
        `select split_part(namespace, '/', 1), count(*) from ${stash.schema}.counter group by 1 order by 1`,
      )
    ).map(([name, count]) => [name, Number(count)])
})

describePostgres('clearing a limiter of several limits', (body) => {
  it('waits for nobody who waits for it', async () => {
    const stash = body.open({ sweeper: false, timeoutMs: 5_000 })
    const limits = [60_000, 90_000].map((windowMs) => ({ limit: 50, windowMs }))
    const limiter = new RateLimiter({ stash, name: 'a', limits })
    const same = new RateLimiter({ stash, name: 'a', limits: limits.toReversed() })
    const calls = [
      () => limiter.peek('k'),
      () => limiter.clear(),
      () => limiter.penalty('k', 1),
      () => same.clear(),
      () => limiter.consume('k'),
      () => limiter.reset('k'),
      () => same.peek('k'),
    ]
    for (const first of calls)
      for (const second of calls) await Promise.all([first(), second(), ...calls.map((c) => c())])
  })

  it('ends for whoever aborts it while it waits', async () => {
    const stash = body.open({ sweeper: false })
    const limits = [60_000, 90_000].map((windowMs) => ({ limit: 5, windowMs }))
    const limiter = new RateLimiter({ stash, name: 'a', limits })
    await limiter.consume('k')
    const stop = new AbortController()
    const writer = new pg.Client(inject('postgresUrl'))
    await writer.connect()
    await writer.query(`begin; update ${stash.schema}.counter set hits = 0`)
    const hit = limiter.consume('k')
    const clearing = limiter.clear({ signal: stop.signal })
    stop.abort()
    await expect(clearing).rejects.toMatchObject({ code: 'ERR_PGSTASH_ABORTED' })
    await writer.query('commit')
    await writer.end()
    await hit
    expect((await limiter.peek('k')).limits.map(({ used }) => used)).toEqual([1, 1])
  })
})
