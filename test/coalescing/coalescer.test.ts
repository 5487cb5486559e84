import pg from 'pg'
import { afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import type { PgClient, PgPool, PgQueryConfig } from '../../src/postgres/wire/pg/driver'
import type { Cache } from '../../src/stash/entries/cache'
import { PgStash } from '../../src/stash/pg-stash'
import { freshSchema } from '../support/bodies'
import { sleep } from '../support/sleep'

/** A real pool that notes what it is sent, and can be told to hold statements back. */
class WatchedPool implements PgPool {
  readonly #pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 5, idleTimeoutMillis: 0 })
  sent: PgQueryConfig[] = []
  hold: Promise<void> = Promise.resolve()

  query(query: PgQueryConfig): Promise<{ rows: unknown[] }> {
    return this.#pool.query(query as pg.QueryConfig)
  }

  /** Its clients are what is watched. */
  async connect(): Promise<PgClient> {
    const client = (await this.#pool.connect()) as unknown as PgClient
    const query = async (config: PgQueryConfig) => {
      this.sent.push(config)
      await this.hold
      return client.query(config)
    }
    return new Proxy(client, {
      get: (watched, name: keyof PgClient) => {
        const part = watched[name]
        if (name === 'query') return query
        return typeof part === 'function' ? part.bind(watched) : part
      },
    })
  }

  /** Opens what it may: a first statement on a new connection is a late one. */
  async fill(): Promise<void> {
    const clients = await Promise.all(Array.from({ length: 5 }, () => this.#pool.connect()))
    for (const client of clients) client.release()
  }

  end(): Promise<void> {
    return this.#pool.end()
  }

  /** How many keys went with each statement. */
  get rows(): number[] {
    return this.sent.map(({ values = [] }) => [values[2]].flat().length)
  }

  /** `entries/reads/values` and the like, in the order sent. */
  get names(): string[] {
    return this.sent.map(({ name }) => name?.split('.')[1] ?? '')
  }
}

/** All that is to be done now, and no timer. */
async function ticks(): Promise<void> {
  for (let tick = 0; tick < 20; tick += 1) await new Promise<void>((resolve) => process.nextTick(resolve))
}

describe('coalescer', () => {
  let pool: WatchedPool
  let stash: PgStash
  let release: () => void

  /** Writes in flight: as many as there may be. */
  const fillFlights = async (cache: Cache) => {
    const blocking: Promise<unknown>[] = []
    for (const key of ['blocks', 'blocks too']) {
      blocking.push(cache.set(key, 1))
      await sleep(5)
    }
    return Promise.all(blocking)
  }

  /** What is sent from now on waits until `release()`. */
  const holdStatements = () => {
    pool.hold = new Promise((resolve) => {
      release = resolve
    })
  }

  const sql = async (text: string) => (await pool.query({ text })).rows as Record<string, unknown>[]

  const raw = async (text: string) => void (await pool.query({ text }))

  beforeAll(async () => {
    pool = new WatchedPool()
    stash = new PgStash({ pool, schema: freshSchema(), timeoutMs: 2_000 })
    await stash.ready()
    await pool.fill()
    return async () => {
      await stash.close()
      await pool.end()
    }
  })

  afterEach(() => {
    pool.hold = Promise.resolve()
    pool.sent = []
  })

  it('sends concurrent calls of many tenants and namespaces in one statement', async () => {
    pool.sent = []
    const caches = ['a', 'b'].flatMap((tenant) => ['x', 'y'].map((name) => stash.tenant(tenant).namespace(name)))
    await Promise.all(caches.map((cache, at) => cache.set('k', at)))
    expect(await Promise.all(caches.map((cache) => cache.get('k')))).toEqual([0, 1, 2, 3])
    expect(pool.names).toEqual(['entries/writes/set', 'entries/reads/values'])
  })

  it('sends a lone call at once, by the statement for one row', async () => {
    const cache = stash.namespace('lone')
    await cache.set('k', 1)
    await cache.get('k')
    expect(pool.names).toEqual(['entries/writes/set-alone', 'entries/reads/value'])
  })

  it('sends getMany, setMany, hasMany and deleteMany each in one statement', async () => {
    const cache = stash.namespace('many')
    const keys = Array.from({ length: 100 }, (_, at) => `k${at}`)
    await cache.setMany(keys.map((key) => ({ key, value: key })))
    await cache.getMany(keys)
    await cache.hasMany(keys)
    await cache.deleteMany(keys)
    expect(pool.names).toEqual([
      'entries/writes/set-in-one-namespace',
      'entries/reads/values-of-one-namespace',
      'entries/reads/ttls',
      'entries/writes/delete',
    ])
  })

  it('shares one row among gets of one key', async () => {
    const cache = stash.namespace('shared')
    await cache.set('k', { n: 1 })
    pool.sent = []
    const values = await Promise.all(Array.from({ length: 50 }, () => cache.get<object>('k')))
    expect(pool.sent).toHaveLength(1)
    // Each caller owns its value.
    expect(new Set(values).size).toBe(50)
  })

  it('lets gets that come while statements are in flight leave together', async () => {
    const cache = stash.namespace('together')
    holdStatements()
    const first = [cache.get('a'), cache.getMany(['b'])]
    await sleep(5)
    const second = [cache.get('c')]
    await sleep(5)
    const third = Array.from({ length: 20 }, (_, at) => cache.get(`d${at}`))
    await sleep(5)
    // Two reads in flight at most: the third group waits.
    expect(pool.sent).toHaveLength(2)
    release()
    await Promise.all([...first, ...second, ...third])
    expect(pool.sent).toHaveLength(3)
    expect(pool.rows).toEqual([2, 1, 20])
  })

  it('lets few wait for what is in the air, and a crowd not', async () => {
    const cache = stash.namespace('few')
    await cache.get('warm')
    pool.sent = []
    holdStatements()
    const calls: Promise<unknown>[] = [cache.get('a')]
    await ticks()
    calls.push(cache.get('b'))
    await ticks()
    expect(pool.rows).toEqual([1])
    calls.push(...Array.from({ length: 15 }, (_, at) => cache.get(`c${at}`)))
    await ticks()
    expect(pool.rows).toEqual([1, 16])
    release()
    await Promise.all(calls)
  })

  it('lets a write wait for reads in the air, and no read for a write', async () => {
    const cache = stash.namespace('kinds')
    await cache.get('warm')
    pool.sent = []
    holdStatements()
    const calls: Promise<unknown>[] = [cache.get('a')]
    await ticks()
    calls.push(cache.set('b', 1))
    await ticks()
    expect(pool.rows).toEqual([1])
    release()
    await Promise.all(calls)
    pool.sent = []
    holdStatements()
    calls.push(cache.set('b', 2))
    await ticks()
    calls.push(cache.get('a'))
    await ticks()
    expect(pool.sent).toHaveLength(2)
    release()
    await Promise.all(calls)
  })

  it('sends what is due together in one train: reads first, writes behind them', async () => {
    const cache = stash.namespace('train')
    await cache.get('warm')
    pool.sent = []
    const calls = [cache.set('b', 1), cache.get('a')]
    await ticks()
    expect(pool.names).toEqual(['entries/reads/value', 'entries/writes/set-alone'])
    await Promise.all(calls)
  })

  it('keeps to its caps on rows and bytes', async () => {
    const capped = new PgStash({ pool, schema: stash.schema, batch: { maxRows: 10, maxBytes: 1_000 } })
    const cache = capped.namespace('caps')
    await capped.ready()
    pool.sent = []
    await cache.getMany(Array.from({ length: 35 }, (_, at) => `k${at}`))
    expect(pool.rows).toEqual([10, 10, 10, 5])
    pool.sent = []
    const sizes = [400, 400, 400, 5_000, 10]
    await cache.setMany(sizes.map((size, at) => ({ key: `k${at}`, value: 'x'.repeat(size) })))
    expect(pool.rows).toEqual([2, 1, 1, 1])
    await capped.close()
  })

  it('sorts writes by tenant, namespace and key', async () => {
    const cache = stash.namespace('sorted')
    await cache.setMany(['c', 'a', 'b'].map((key) => ({ key, value: key })))
    expect(pool.sent[0]?.values?.[2]).toEqual(['a', 'b', 'c'])
  })

  it('lets two writes fly, and never two of one key', async () => {
    const cache = stash.namespace('flights')
    holdStatements()
    const writes = [cache.set('a', 1)]
    await sleep(5)
    writes.push(cache.set('a', 2))
    await sleep(5)
    expect(pool.sent).toHaveLength(1)
    writes.push(cache.set('b', 1))
    await sleep(5)
    writes.push(cache.set('c', 1), cache.set('d', 1))
    await sleep(5)
    expect(pool.sent).toHaveLength(2)
    release()
    await Promise.all(writes)
    expect(pool.rows.slice(0, 2)).toEqual([1, 1])
    // c and d left together, with the second set of a or before it: a and b landed in either order.
    expect(Math.max(...pool.rows)).toBeGreaterThanOrEqual(2)
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual([2, 1, 1, 1])
  })

  it('spreads a crowd of calls over the free flights', async () => {
    const cache = stash.namespace('spread')
    await Promise.all(Array.from({ length: 100 }, (_, at) => cache.get(`k${at}`)))
    expect(pool.rows).toEqual([50, 50])
  })

  it('never deadlocks with another process over the same keys', async () => {
    const own = () => new PgStash({ connectionString: inject('postgresUrl'), schema: stash.schema })
    const stashes = [own(), own(), own()]
    const random = () => Math.floor(Math.random() * 200)
    const deadlocks = async () =>
      Number((await sql('select deadlocks from pg_stat_database where datname = current_database()'))[0]?.deadlocks)
    const before = await deadlocks()
    const crowds = stashes.flatMap((one) =>
      Array.from({ length: 200 }, async () => {
        const cache = one.namespace('contended')
        for (let round = 0; round < 20; round += 1) await cache.set(`k${random()}`, round)
      }),
    )
    await Promise.all(crowds)
    for (const one of stashes) await one.close()
    // A session tells its statistics with a delay of a second at most.
    await sleep(1_200)
    expect(await deadlocks()).toBe(before)
  })

  it('shows a get what was set before it, and not what was set after', async () => {
    const cache = stash.namespace('order')
    holdStatements()
    const answers = [cache.get('k'), cache.set('k', 1), cache.get('k'), cache.set('k', 2), cache.get('k')]
    release()
    const [before, , between, , after] = await Promise.all(answers)
    expect([before, between, after]).toEqual([undefined, 1, 2])
  })

  it('rejects a caller at its time limit, and the batch goes on', async () => {
    const cache = stash.namespace('late')
    holdStatements()
    const started = performance.now()
    const sent = cache.set('sent', 1)
    await sleep(5)
    const other = cache.set('other', 1)
    await sleep(5)
    const waiting = cache.set('waiting', 2)
    const settled = await Promise.allSettled([sent, waiting, other]).then((all) => all.slice(0, 2))
    expect(performance.now() - started).toBeLessThan(2_100 + 200)
    expect(settled.map((result) => result.status === 'rejected' && result.reason)).toEqual([
      expect.objectContaining({ code: 'ERR_PGSTASH_TIMEOUT', outcome: 'unknown', timeoutMs: 2_000 }),
      expect.objectContaining({ code: 'ERR_PGSTASH_TIMEOUT', outcome: 'not-sent' }),
    ])
    release()
    pool.hold = Promise.resolve()
    // The one on its way arrives; the one that had not left never does.
    await vi.waitFor(async () => expect(await cache.getMany(['sent', 'waiting'])).toEqual([1, undefined]))
  })

  it('lets a caller abort, without harm to those who share its statement', async () => {
    const cache = stash.namespace('abort')
    const abort = new AbortController()
    holdStatements()
    const first = fillFlights(cache)
    await sleep(20)
    const aborted = cache.set('k', 'aborted', { signal: abort.signal })
    const kept = cache.set('k', 'kept')
    const alone = cache.set('alone', 1, { signal: abort.signal })
    const read = cache.get('k', { signal: abort.signal })
    abort.abort(new Error('enough'))
    for (const call of [aborted, alone, read]) {
      await expect(call).rejects.toMatchObject({
        code: 'ERR_PGSTASH_ABORTED',
        outcome: 'not-sent',
        cause: abort.signal.reason,
      })
    }
    release()
    await Promise.all([first, kept])
    expect(await cache.getMany(['k', 'alone'])).toEqual(['kept', undefined])
    await expect(cache.get('k', { signal: abort.signal })).rejects.toMatchObject({ code: 'ERR_PGSTASH_ABORTED' })
  })

  it('does not send an aborted set that a later one replaced', async () => {
    const cache = stash.namespace('abort-later')
    const abort = new AbortController()
    holdStatements()
    const first = fillFlights(cache)
    await sleep(20)
    const kept = cache.set('k', 'kept')
    const aborted = cache.set('k', 'aborted', { signal: abort.signal })
    abort.abort()
    await expect(aborted).rejects.toMatchObject({ outcome: 'not-sent' })
    release()
    await Promise.all([first, kept])
    expect(await cache.get('k')).toBe('kept')
  })

  it('sends many keys of one call as one, and keeps the order of each key beside others', async () => {
    const cache = stash.namespace('many')
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: `${key}1` })))
    pool.sent = []
    holdStatements()
    const first = cache.getMany(['a', 'b', 'a'])
    await sleep(5)
    // The keys are being read: the write waits, and so does the read behind it; what is of another key does not.
    const write = cache.set('a', 'a2')
    const second = cache.getMany(['c', 'a'])
    const writes = cache.setMany(['b', 'd'].map((key) => ({ key, value: `${key}2` })))
    const other = cache.getMany(['x', 'y'])
    const third = cache.get('b')
    await sleep(20)
    expect(pool.names).toEqual([
      'entries/reads/values-of-one-namespace',
      // c of the second call.
      'entries/reads/value',
      'entries/reads/values-of-one-namespace',
      // d, which nobody reads.
      'entries/writes/set-alone',
    ])
    release()
    expect(await first).toEqual(['a1', 'b1', 'a1'])
    expect(await second).toEqual(['c1', 'a2'])
    expect(await other).toEqual([undefined, undefined])
    expect(await third).toBe('b2')
    await Promise.all([write, writes])
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual(['a2', 'b2', 'c1', 'd2'])
  })

  it('lets nobody at a key that is written with others, and everybody at another', async () => {
    const cache = stash.namespace('written')
    await cache.setMany(['a', 'b', 'c', 'd'].map((key) => ({ key, value: `${key}1` })))
    await pool.fill()
    pool.sent = []
    holdStatements()
    const first = cache.setMany(['a', 'b'].map((key) => ({ key, value: `${key}2` })))
    await sleep(5)
    // All but the last two touch what is being written.
    const one = cache.get('a')
    const some = cache.getMany(['a', 'c'])
    const deletion = cache.delete('b')
    const again = cache.setMany(['b', 'a'].map((key) => ({ key, value: `${key}3` })))
    const others = cache.setMany(['d', 'e'].map((key) => ({ key, value: `${key}2` })))
    const unwritten = cache.getMany(['x', 'y'])
    await vi.waitFor(() => expect(pool.names).toHaveLength(4), 1_500)
    await sleep(20)
    expect(pool.names.sort()).toEqual([
      // c of the second read.
      'entries/reads/value',
      'entries/reads/values-of-one-namespace',
      'entries/writes/set-in-one-namespace',
      'entries/writes/set-in-one-namespace',
    ])
    release()
    await first
    expect(await one).toBe('a2')
    expect(await some).toEqual(['a2', 'c1'])
    expect(await deletion).toBe(true)
    expect(await unwritten).toEqual([undefined, undefined])
    await Promise.all([again, others])
    expect(await cache.getMany(['a', 'b', 'c', 'd', 'e'])).toEqual(['a3', 'b3', 'c1', 'd2', 'e2'])
  })

  it('waits with a clear for the keys that are being read or written together', async () => {
    const cache = stash.namespace('many and clear')
    await cache.set('a', 1)
    pool.sent = []
    holdStatements()
    const read = cache.getMany(['a', 'b'])
    const written = cache.setMany(['c', 'd'].map((key) => ({ key, value: 1 })))
    await sleep(5)
    const cleared = cache.clear()
    await sleep(20)
    expect(pool.names).not.toContain('entries/writes/clear')
    release()
    expect(await read).toEqual([1, undefined])
    await Promise.all([written, cleared])
    expect(await cache.getMany(['a', 'c', 'd'])).toEqual([undefined, undefined, undefined])
  })

  it('lets calls behind a barrier share as those before it do', async () => {
    const cache = stash.namespace('behind')
    const calls: Promise<unknown>[] = [cache.clear()]
    for (let at = 0; at < 60; at += 1) calls.push(cache.set('k', at), cache.set(`k${at}`, at))
    await Promise.all(calls)
    expect(pool.names).toEqual([
      'entries/writes/clear',
      'entries/writes/set-in-one-namespace',
      'entries/writes/set-in-one-namespace',
    ])
    expect(await cache.get('k')).toBe(59)
  })

  it('stays quick with very many calls behind a barrier', async () => {
    const cache = stash.namespace('crowd')
    const cleared = cache.clear()
    const gets = Array.from({ length: 50_000 }, (_, at) => cache.get(`k${at}`))
    await cleared
    expect(new Set(await Promise.all(gets))).toEqual(new Set([undefined]))
  })

  it('gives a taken value to whoever still waits', async () => {
    const cache = stash.namespace('takers')
    await cache.set('k', 'prize')
    const abort = new AbortController()
    holdStatements()
    const first = cache.take('k', { signal: abort.signal })
    const second = cache.take('k')
    await sleep(5)
    abort.abort()
    release()
    await expect(first).rejects.toMatchObject({ code: 'ERR_PGSTASH_ABORTED', outcome: 'unknown' })
    expect(await second).toBe('prize')
  })

  it('finds the bad set among those that share a row', async () => {
    const cache = stash.namespace('sharers')
    const { schema } = stash
    await stash.ready()
    await raw(`create function ${schema}.refuse() returns trigger language plpgsql as $$
      begin if new.value = 'bad' then raise exception 'refused'; end if; return new; end $$`)
    await raw(
      `create trigger refuse before insert or update on ${schema}.entry for each row execute function ${schema}.refuse()`,
    )
    try {
      const settled = await Promise.allSettled([cache.set('k', 'good'), cache.set('k', 'bad'), cache.set('l', 'fine')])
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(await cache.getMany(['k', 'l'])).toEqual(['good', 'fine'])
    } finally {
      await raw(`drop trigger refuse on ${schema}.entry`)
    }
  })

  it('refuses what is no signal, and stays closable', async () => {
    const other = new PgStash({ pool, schema: stash.schema })
    for (const signal of [new AbortController(), {}, 5]) {
      await expect(other.namespace('a').get('k', { signal: signal as never })).rejects.toMatchObject({
        field: 'signal',
      })
    }
    expect(await other.namespace('a').get('k', { signal: null as never })).toBeUndefined()
    await other.close()
  })

  it('answers a delete by prefix before it closes', async () => {
    const other = new PgStash({ pool, schema: stash.schema })
    const cache = other.namespace('prefix')
    await cache.setMany(Array.from({ length: 3_500 }, (_, at) => ({ key: `k${at}`, value: at })))
    const deleted = cache.deleteByPrefix('k')
    await other.close()
    expect(await deleted).toBe(3_500)
  })

  it('validates before anything joins a batch', async () => {
    const cache = stash.namespace('bad')
    const settled = await Promise.allSettled([
      cache.set('good', 1),
      cache.set('big', 1n),
      cache.set('nul\0', 1),
      cache.set('also good', 2),
    ])
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(pool.sent).toHaveLength(1)
    await expect(
      cache.setMany([
        { key: 'x', value: 1 },
        { key: 'y', value: undefined },
      ]),
    ).rejects.toMatchObject({ field: 'value' })
    expect(await cache.get('x')).toBeUndefined()
  })

  it('finishes what is under way when it closes, and refuses what comes after', async () => {
    const closing = new PgStash({ pool, schema: stash.schema })
    const cache = closing.namespace('closing')
    const writes = Array.from({ length: 1_000 }, (_, at) => cache.set(`k${at}`, at))
    const closed = closing.close()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
    await closed
    await Promise.all(writes)
    expect(await stash.namespace('closing').getMany(['k0', 'k999'])).toEqual([0, 999])
    await closing.close()
  })
})
