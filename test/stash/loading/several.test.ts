import pg from 'pg'
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest'
import { PgStash } from '../../../src/stash/pg-stash'
import { describePostgres, freshSchema } from '../../support/bodies'
import { CountingPool } from '../../support/counting-pool'
import { FaultyProxy } from '../../support/servers/faulty-proxy'
import { sleep } from '../../support/sleep'

describePostgres('a load of several', (body) => {
  /** A connection that locks what is to be waited for. */
  let beside: pg.Client
  beforeEach(async () => {
    beside = new pg.Client(inject('postgresUrl'))
    await beside.connect()
  })
  afterEach(() => beside.end())

  const opened = async (options = {}) => {
    const schema = freshSchema()
    const stash = body.open({ schema, sweeper: false })
    await stash.ready()
    return { schema, stash, cache: stash.namespace('n', options) }
  }

  const lock = async (schema: string, key: string, how = '') =>
    beside.query(`select from ${schema}.lease where key = '${key}' for update ${how}`)

  const untilBlocked = () =>
    vi.waitFor(async () => {
      const { rows } = await beside.query(
        'select from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid))',
      )
      expect(rows).toHaveLength(1)
    }, 10_000)

  /** What a loader does while somebody else has locked a, and what is answered then. */
  const statements = {
    store: async () => new Map([...'ab'].map((key) => [key, `of ${key}`])),
    release: () => Promise.reject(new Error('no')),
    renew: async (isUnlocked: Promise<void>) => {
      await isUnlocked
      return new Map<string, string>()
    },
  }
  const answers = { store: ['of b', 'of a'], release: 'no', renew: [undefined, undefined] }

  it.each(['store', 'release', 'renew'] as const)('locks its keys in the order of all writes: %s', async (name) => {
    const { schema, cache } = await opened()
    let unlock = () => {}
    const isUnlocked = new Promise<void>((resolve) => {
      unlock = resolve
    })
    const load = async () => {
      await beside.query('begin')
      await lock(schema, 'a')
      return statements[name](isUnlocked)
    }
    const leaseMs = name === 'renew' ? 300 : 60_000
    const asked = cache.getOrSetMany(['b', 'a'], load, { leaseMs }).catch((error: Error) => error.message)
    await untilBlocked()
    // Waiting for a, it has not taken b: who has a would wait for b otherwise, and both for ever.
    await lock(schema, 'b', 'nowait')
    await beside.query('commit')
    unlock()
    expect(await asked).toEqual(answers[name])
  })

  it('stores what it still holds, where it has lost another', async () => {
    const { schema, stash, cache } = await opened()
    const other = body.open({ schema, sweeper: false }).namespace('n')
    const load = async () => {
      await other.getOrSet('a', () => 'of the other', { forceFresh: true })
      // So that a renewal tells.
      await sleep(300)
      return new Map([
        ['c', 'c'],
        ['b', 'b'],
        ['a', 'a'],
      ])
    }
    expect(await cache.getOrSetMany(['c', 'b', 'a'], load, { leaseMs: 150 })).toEqual(['c', 'b', 'a'])
    expect(await stash.namespace('n').getMany(['a', 'b', 'c'])).toEqual(['of the other', 'b', 'c'])
  })

  it('runs no loader for nobody', async () => {
    const { schema, cache } = await opened()
    await beside.query('begin')
    await beside.query(`lock table ${schema}.lease in access exclusive mode`)
    const controller = new AbortController()
    let calls = 0
    const load = async () => {
      calls += 1
      return new Map()
    }
    const asked = cache.getOrSetMany(['a', 'b'], load, { signal: controller.signal })
    await untilBlocked()
    controller.abort()
    await expect(asked).rejects.toMatchObject({ name: 'CallAbortedError' })
    await beside.query('commit')
    expect(await cache.getOrSetMany(['a', 'b'], async () => new Map([['a', 1]]))).toEqual([1, undefined])
    expect(calls).toBe(0)
  })

  it('is one without the database too, under onError: miss', async () => {
    const { schema } = await opened()
    const proxy = await FaultyProxy.before(inject('postgresUrl'))
    const stash = new PgStash({
      connectionString: proxy.url,
      schema,
      sweeper: false,
      onError: 'miss',
      timeoutMs: 60_000,
    })
    await stash.ready()
    const cache = stash.namespace('n')
    const asked: string[][] = []
    const load = async (keys: string[]) => {
      asked.push(keys)
      return new Map(keys.map((key) => [key, `loaded ${key}`]))
    }
    await beside.query('begin')
    await beside.query(`lock table ${schema}.lease in access exclusive mode`)
    const before = cache.getOrSetMany(['a', 'b'], load)
    await untilBlocked()
    // After the read, and before the claim is answered.
    await proxy.close()
    expect(await before).toEqual(['loaded a', 'loaded b'])
    expect(await cache.getOrSetMany(['c', 'd'], load)).toEqual(['loaded c', 'loaded d'])
    expect(asked).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    await beside.query('rollback')
    await stash.close()
  })

  it('gives up at once what has no value', async () => {
    const { schema } = await opened()
    const pool = new CountingPool(inject('postgresUrl'))
    const stash = new PgStash({ pool, schema, sweeper: false })
    const cache = stash.namespace('n')
    await cache.getOrSetMany(['first'], async () => new Map())
    const before = pool.statements
    await cache.getOrSetMany(
      Array.from({ length: 100 }, (_, at) => `k${at}`),
      async () => new Map(),
    )
    // The read, the claim and the release.
    expect(pool.statements - before).toBe(3)
    await stash.close()
    await pool.end()
  })
})
