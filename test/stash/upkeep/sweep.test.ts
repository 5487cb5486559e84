import { randomBytes } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import type { SweepMessage } from '../../../src/stash/upkeep/sweep-clock'
import type { SweepProgress } from '../../../src/stash/upkeep/sweeper'
import { describeBodies, describePostgres, freshSchema } from '../../support/bodies'
import { runNode } from '../../support/processes'
import { sleep } from '../../support/sleep'

const dead = async (stash: PgStash, count: number) => {
  await stash
    .namespace('dead')
    .setMany(Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: 'x'.repeat(200), ttl: 1 })))
  await sleep(5)
}

describeBodies('a sweep', (body) => {
  it('tells how far it has come, to the end', async () => {
    const stash = body.open()
    await dead(stash, 2_000)
    const steps: SweepProgress[] = []
    expect(await stash.sweep({ onProgress: (step) => steps.push(step) })).toMatchObject({ expired: 2_000 })
    const shares = steps.map(({ share }) => share)
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
    expect((await stash.stats()).lastSweep).toMatchObject({ removed: 2_000 })
  })

  it('ends by its signal, and goes on from there', async () => {
    const stash = body.open()
    await dead(stash, 5_000)
    const stop = new AbortController()
    const first = await stash.sweep({ signal: stop.signal, onProgress: () => stop.abort() })
    const second = await stash.sweep()
    expect(first.expired + second.expired).toBe(5_000)
  })

  it('runs by the clock, and stops with the stash', async () => {
    const messages: SweepMessage[] = []
    const listener = (message: unknown) => void messages.push(message as SweepMessage)
    channel('pgstash:sweep').subscribe(listener)
    const stash = body.open({ sweeper: { intervalMs: 50 } })
    await dead(stash, 500)
    await expect.poll(async () => (await stash.stats()).expired, { timeout: 10_000 }).toBe(0)
    await stash.namespace('live').set('k', 1)
    expect(await stash.namespace('live').get('k')).toBe(1)
    // In one turn, or in two: a turn may fall between the two statements that write them.
    const removed = () => messages.reduce((sum, { swept }) => sum + (swept?.expired ?? 0), 0)
    await expect.poll(removed, { timeout: 10_000 }).toBe(500)
    await stash.close()
    const seen = messages.length
    await sleep(300)
    expect(messages.length).toBe(seen)
    channel('pgstash:sweep').unsubscribe(listener)
  })

  it('runs by the clock where that of the database was ahead for a while', async () => {
    const stash = body.open({ sweeper: { intervalMs: 50 } })
    await stash.ready()
    const tomorrow = `${stash.schema}.now_ms() + 86400000`
    await body.sql(
      `insert into ${stash.schema}.sweep as s (name, turned_at, leased_until, holder) values ('sweeper', ${tomorrow}, ${tomorrow}, 'gone') on conflict (name) do update set turned_at = ${tomorrow}, leased_until = ${tomorrow}, holder = 'gone'`,
    )
    await dead(stash, 10)
    await expect.poll(async () => (await stash.stats()).expired, { timeout: 10_000 }).toBe(0)
  })

  it('lets no plan be compiled: on a large table that took as long as the step', async () => {
    const stash = body.open()
    await stash.ready()
    const compiled = `select proname from pg_proc where pronamespace = '${stash.schema}'::regnamespace and proname in ('sweep_blocks', 'sweep_sessions', 'sweep_counters') and not proconfig @> '{jit=off}'`
    expect(await body.sql(compiled)).toEqual([])
  })

  it('does not run by the clock where nobody wants it', async () => {
    const stash = body.open({ sweeper: false })
    await dead(stash, 10)
    await sleep(200)
    expect((await stash.stats()).expired).toBe(10)
    expect((await stash.stats()).lastSweep).toBeUndefined()
  })
})

describePostgres('sweeps of several processes', (body) => {
  const script = (work: string) => `
    import { PgStash } from 'pgstash'
    const stash = new PgStash({ connectionString: process.env.URL, schema: process.env.SCHEMA, sweeper: false, timeoutMs: 30_000 })
    await stash.ready()
    ${work}
    await stash.close()`

  it('share the work: nothing is done twice', { timeout: 60_000 }, async () => {
    const stash = body.open({ sweeper: false })
    await dead(stash, 30_000)
    const position = async () =>
      Number((await body.sql(`select position from ${stash.schema}.sweep where name = 'entry'`))[0]?.[0])
    const blocks = Number((await body.sql(`select pg_relation_size('${stash.schema}.entry') / 8192`))[0]?.[0])
    const env = { URL: inject('postgresUrl'), SCHEMA: stash.schema }
    // They begin together, however late one of them comes up: whoever comes to a turn that is over begins one of his own.
    const gate = new pg.Client(inject('postgresUrl'))
    await gate.connect()
    await gate.query('begin')
    await gate.query(`lock table ${stash.schema}.sweep in share mode`)
    const sweep = script('console.log((await stash.sweep()).expired)')
    const sweeping = Promise.all([1, 2, 3].map(() => runNode(sweep, env)))
    const waiting = `select count(*) from pg_locks where relation = '${stash.schema}.sweep'::regclass and not granted`
    await expect.poll(async () => Number((await body.sql(waiting))[0]?.[0]), { timeout: 30_000 }).toBe(3)
    await gate.query('commit')
    await gate.end()
    const ended = await sweeping
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0])
    const removed = ended.map(({ output }) => Number(output))
    expect(removed.reduce((sum, one) => sum + one, 0)).toBe(30_000)
    // One turn of the table, and at most a step of each beyond it.
    expect(await position()).toBeLessThanOrEqual(blocks + 3 * 256)
    expect((await stash.stats()).expired).toBe(0)
  })

  it('one at a time sweeps by the clock', async () => {
    const schema = freshSchema()
    const stashes = [1, 2, 3].map(() => body.open({ schema, sweeper: { intervalMs: 400 } }))
    for (const stash of stashes) await stash.ready()
    await dead(stashes[0] as PgStash, 100)
    await sleep(1_500)
    // Three that turned once in 400 ms each would have walked more than ten tables.
    const [[turns]] = (await body.sql(
      `select position / (pg_relation_size('${schema}.entry') / 8192) from ${schema}.sweep where name = 'entry'`,
    )) as [[string]]
    expect(Number(turns)).toBeGreaterThanOrEqual(1)
    expect(Number(turns)).toBeLessThanOrEqual(8)
  })

  it('are done by pg_cron as well', async () => {
    const stash = body.open({ sweeper: false })
    await dead(stash, 3_000)
    await stash.namespace('live').set('k', 1)
    await body.sql(`call ${stash.schema}.sweep_all()`)
    expect(await stash.stats()).toMatchObject({ live: 1, expired: 0, lastSweep: { removed: 3_000 } })
  })

  it('keep no process alive', async () => {
    const { code, output } = await runNode(
      `import { PgStash } from 'pgstash'
      const stash = new PgStash({ connectionString: process.env.URL, schema: process.env.SCHEMA, sweeper: { intervalMs: 60_000 } })
      await stash.namespace('a').set('k', 1)
      console.log('done')`,
      { URL: inject('postgresUrl'), SCHEMA: freshSchema() },
    )
    expect({ code, output }).toEqual({ code: 0, output: 'done\n' })
  })
})

describePostgres('statistics of a large table', (body) => {
  it('are estimated from a part of it, and say so', { timeout: 60_000 }, async () => {
    const stash = body.open({ sweeper: false })
    // Random: nothing compresses it, and four rows fill a page.
    const value = () => randomBytes(1_350).toString('base64')
    for (let from = 0; from < 24_000; from += 2_000) {
      await stash.namespace(from % 4_000 === 0 ? 'even' : 'odd').setMany(
        Array.from({ length: 2_000 }, (_, at) => ({
          key: `k${from + at}`,
          value: value(),
        })),
      )
    }
    const [estimate, exact] = [await stash.stats(), await stash.stats({ exact: true })]
    expect(exact).toMatchObject({ isEstimate: false, sampledShare: 1, live: 24_000 })
    expect(estimate.isEstimate).toBe(true)
    expect(estimate.sampledShare).toBeLessThan(0.8)
    expect(estimate.live / exact.live).toBeGreaterThan(0.85)
    expect(estimate.live / exact.live).toBeLessThan(1.15)
    expect(exact.namespaces.map(({ namespace, live }) => [namespace, live])).toEqual([
      ['even', 12_000],
      ['odd', 12_000],
    ])
    expect(exact.sizeClasses).toMatchObject([{ upToBytes: 10_000, live: 24_000 }])
  })
})

describePostgres('a sweep by the clock', (body) => {
  it('begins whatever its interval is, and again after somebody emptied its table', async () => {
    const stash = body.open({ sweeper: { intervalMs: 101 } })
    await stash.ready()
    await body.sql(`truncate ${stash.schema}.sweep`)
    await dead(stash, 100)
    await expect.poll(async () => (await stash.stats()).expired, { timeout: 10_000 }).toBe(0)
    await expect.poll(async () => (await stash.stats()).lastSweep, { timeout: 10_000 }).toBeDefined()
  })

  it('enforces quotas, though others sweep without knowing them', async () => {
    const stash = body.open({ sweeper: { intervalMs: 200 }, quota: { maxEntries: 1 } })
    await stash.namespace('a').setMany([1, 2, 3, 4].map((value) => ({ key: `k${value}`, value })))
    const others = setInterval(() => void body.sql(`call ${stash.schema}.sweep_all()`).catch(() => {}), 50)
    await expect.poll(async () => (await stash.stats()).live, { timeout: 10_000 }).toBe(1)
    clearInterval(others)
    await sleep(100)
  })

  it('walks the whole table while it grows', async () => {
    const stash = body.open({ sweeper: false })
    await dead(stash, 5_000)
    // As after a year of turns.
    await body.sql(`update ${stash.schema}.sweep set position = 1000003, next_block = 17 where name = 'entry'`)
    const growing = setInterval(
      () =>
        void stash
          .namespace('new')
          .set(`k${Math.random()}`, 'x'.repeat(1_500))
          .catch(() => {}),
      1,
    )
    await stash.sweep()
    clearInterval(growing)
    expect((await stash.stats({ exact: true })).expired).toBe(0)
  })

  it('takes tables of connect-pg-simple in steps as well, which its signal ends', async () => {
    const stash = body.open({ sweeper: false })
    await stash.ready()
    const table = `${stash.schema}.theirs`
    await body.sql(`create table ${table} (sid varchar primary key, sess json not null, expire timestamp(6) not null)`)
    await body.sql(
      `insert into ${table} select i, '{}', localtimestamp - interval '1 day' from generate_series(1, 9000) i`,
    )
    await new Sessions({ stash, table }).length()
    const left = async () => Number((await body.sql(`select count(*) from ${table}`))[0]?.[0])
    const stop = new AbortController()
    const stopping = setInterval(() => void left().then((n) => n < 9_000 && stop.abort()), 1)
    await stash.sweep({ signal: stop.signal })
    clearInterval(stopping)
    expect(await left()).toBeGreaterThan(0)
    const { expired } = await stash.sweep()
    expect(expired).toBeGreaterThan(0)
    expect(await left()).toBe(0)
  })

  it("is the owner's alone under row-level security", async () => {
    const stash = await body.openIsolated()
    await stash.namespace('a').set('k', 1)
    const app = new URL((body.connection() as { connectionString: string }).connectionString)
    app.username = `${stash.schema}_app`
    const client = new pg.Client(app.href)
    await client.connect()
    await expect(client.query(`call ${stash.schema}.sweep_all()`)).rejects.toMatchObject({ code: '42501' })
    await client.end()
  })
})

describe('bad options of a sweep', () => {
  it.each([[{ onProgress: 5 }], [{ signal: {} }], [{ onProgres: () => {} }], [5], [null]])('%j', async (options) => {
    const stash = new PgStash({ connectionString: 'postgres://nowhere.invalid' })
    await expect(stash.sweep(options as never)).rejects.toMatchObject({ code: 'ERR_PGSTASH_INVALID_ARGUMENT' })
    await expect(stash.stats({ exakt: true } as never)).rejects.toMatchObject({ field: 'options' })
    await stash.close()
  })
})

describe('bad options of the sweeper', () => {
  it.each([[{ sweeper: 5 }], [{ sweeper: { interval: 5 } }], [{ sweeper: { intervalMs: 0 } }], [{ sweeper: null }]])(
    '%j',
    (options) => {
      expect(() => new PgStash({ connectionString: 'postgres://nowhere.invalid', ...options } as never)).toThrow(
        expect.objectContaining({ field: expect.stringMatching(/^sweeper/) }),
      )
    },
  )
})
