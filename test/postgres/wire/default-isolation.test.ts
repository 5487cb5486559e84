import { keyvApiTests, keyvIteratorTests, keyvNamespaceTest, keyvValueTests } from '@keyv/test-suite'
import fc from 'fast-check'
import Keyv from 'keyv'
import pg from 'pg'
import * as vitest from 'vitest'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { KeyvPgStore } from '../../../src/adapters/keyv/store'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import type { PgStashOptions } from '../../../src/stash/options/told'
import { PgStash } from '../../../src/stash/pg-stash'
import { printSchema } from '../../../src/stash/schema-script'
import { Sessions } from '../../../src/stash/sessions/store'
import { Run, steps } from '../../properties/programs'
import { freshSchema, urlAs } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { PlainPool } from '../../support/plain-pool'
import { runNode } from '../../support/processes'
import { hasPgBouncer, PgBouncer } from '../../support/servers/pgbouncer'
import { sleep } from '../../support/sleep'

describe.each(['repeatable read', 'serializable'])('a database whose default isolation is %s', (isolation) => {
  const database = freshSchema()
  const url = (server = inject('postgresUrl')) => server.replace(/\/[^/]*$/, `/${database}`)
  const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2, allowExitOnIdle: true })
  const opened: { close(): Promise<void> }[] = []

  const open = (options: PgStashOptions = {}) => {
    const stash = new PgStash({ connectionString: url(), timeoutMs: 60_000, sweeper: false, ...options })
    opened.push(stash)
    return stash
  }

  beforeAll(async () => {
    await admin.query(`create database ${database}`)
    await admin.query(`alter database ${database} set default_transaction_isolation = '${isolation}'`)
  })

  afterAll(async () => {
    for (const stash of opened) await stash.close()
    await admin.query(`drop database ${database} with (force)`)
    await admin.end()
  })

  it('lets eight start at once on an empty database', async () => {
    const schema = freshSchema()
    const stashes = Array.from({ length: 8 }, () => open({ schema }))
    const started = await Promise.allSettled(stashes.map((stash) => stash.ready()))
    expect(started.filter(({ status }) => status === 'rejected')).toEqual([])
  })

  it('lets eight processes start at once on an empty database, and count together', async () => {
    const schema = freshSchema()
    const env = { DATABASE_URL: url(), SCHEMA: schema, START_AT: String(Date.now() + 3_000) }
    const ended = await Promise.all(Array.from({ length: 8 }, () => runNode(startAndCount, env)))
    expect(ended.filter(({ code }) => code !== 0).map(({ output }) => output)).toEqual([])
    expect(await open({ schema }).namespace('hot').get('hits')).toBe(8 * 25)
  })

  const each = rounds({ shallow: 100, deep: 400 })

  it(`refuses none of ${3 * each} rounds on hot keys`, async () => {
    const stashes = await openThree({ schema: freshSchema() })
    const settled = await Promise.allSettled(stashes.flatMap((stash) => onHotKeys(stash, each)))
    expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
    const hits = await stashes[0]?.namespace('hot').get('hits')
    expect(hits).toBe(3 * each)
  })

  it('on pools that take configs only, behind a pooler, and under row-level security', async () => {
    const schema = freshSchema()
    const role = `${schema}_app`
    const plain = new PlainPool(url())
    const bouncer = hasPgBouncer ? await PgBouncer.before(url()) : undefined
    await admin.query(`create role ${role} login`)
    const inside = new pg.Client(url())
    await inside.connect()
    await inside.query(printSchema({ schema, isolation: 'rls', appRole: role }))
    const app = { schema, isolation: 'rls', migrate: false } as const
    const stashes = [
      open({ schema: `${schema}_plain`, pool: plain, connectionString: undefined }),
      open({ schema: `${schema}_plain`, pool: plain, connectionString: undefined }),
      ...(bouncer ? [1, 2].map(() => open({ connectionString: bouncer.url.replace(/\/[^/]*$/, `/${database}`) })) : []),
      ...[1, 2].map(() => open({ ...app, connectionString: urlAs(role, url()) })),
    ]
    const settled = await Promise.allSettled(stashes.flatMap((stash) => onHotKeys(stash, 60, { sweeps: false })))
    expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
    for (const stash of stashes) await stash.close()
    await Promise.all([plain.end(), bouncer?.stop(), inside.query(`drop schema ${schema} cascade`)])
    await inside.end()
    await admin.query(`drop role ${role}`)
  })

  it('does what the model does, in sequence and at once', async () => {
    const stash = open({ schema: freshSchema() })
    await stash.ready()
    let runs = 0
    const sequential = fc.asyncProperty(steps(false), (program) => new Run(stash, runs++).sequential(program))
    const concurrent = fc.asyncProperty(steps(false), (program) => new Run(stash, runs++).concurrent(program))
    await fc.assert(sequential, { numRuns: rounds({ shallow: 5, deep: 20 }) })
    await fc.assert(concurrent, { numRuns: rounds({ shallow: 8, deep: 30 }) })
  })

  it('lets the sweep for pg_cron go on beside writes', async () => {
    const schema = freshSchema()
    const stash = open({ schema })
    const cache = stash.namespace('hot')
    await cache.setMany(Array.from({ length: 500 }, (_, at) => ({ key: `k${at}`, value: at, ttl: 1 })))
    const cron = new pg.Client(url())
    await cron.connect()
    const writing = Promise.all(Array.from({ length: 200 }, (_, at) => cache.set(`k${at}`, at, { ttl: 1 })))
    await cron.query(`call ${schema}.sweep_all()`)
    await cron.query(`call ${schema}.sweep_all()`)
    await writing
    await cron.end()
  })

  describe("Keyv's suite", () => {
    const stash = new PgStash({ connectionString: url(), schema: freshSchema() })
    beforeAll(() => stash.ready())
    afterAll(() => stash.close())
    for (const suite of [keyvApiTests, keyvValueTests, keyvNamespaceTest, keyvIteratorTests] as unknown as ((
      test: typeof vitest,
      keyv: typeof Keyv,
      store: () => KeyvPgStore,
    ) => void)[]) {
      suite(vitest, Keyv, () => new KeyvPgStore(stash))
    }
  })

  async function openThree(options: PgStashOptions): Promise<PgStash[]> {
    const stashes = [open(options), open(options), open(options)]
    for (const stash of stashes) await stash.ready()
    return stashes
  }
})

/** All begin together, with nothing but the schema to wait for. */
const startAndCount = `
  import { PgStash } from 'pgstash'
  const { SCHEMA, START_AT } = process.env
  await new Promise((resolve) => setTimeout(resolve, START_AT - Date.now()))
  const stash = new PgStash({ schema: SCHEMA, timeoutMs: 60_000 })
  await stash.ready()
  for (let hit = 0; hit < 25; hit += 1) await stash.namespace('hot').increment('hits')
  await stash.close()
`

it('is noticed where it changes under a running stash', async () => {
  const role = freshSchema()
  const admin = new pg.Pool({ connectionString: inject('postgresUrl'), allowExitOnIdle: true })
  await admin.query(`create role ${role} superuser login`)
  const options = { connectionString: urlAs(role, inject('postgresUrl')), schema: role, idleTimeoutMillis: 1 }
  const stash = new PgStash({ ...options, sweeper: false, timeoutMs: 20_000 })
  const cache = stash.namespace('hot')
  await cache.set('k', 1)
  await admin.query(`alter role ${role} set default_transaction_isolation = 'serializable'`)
  await sleep(50)
  const writing = admin.query(writeAllTheTime(role))
  // Whoever only tries once more finds the row written again: only who says that he wants to wait gets through each time.
  const settled = await Promise.allSettled(await oneByOne(30, (at) => cache.set('k', at)))
  await writing
  expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
  expect(await cache.get('k')).toBe(29)
  await stash.close()
  await admin.query(`drop schema ${role} cascade; drop role ${role}`)
  await admin.end()
})

/** The row of `k` is locked for all of two seconds, but for the moment between two transactions. */
function writeAllTheTime(schema: string): string {
  return `do $$
    begin
      for i in 1..400 loop
        update ${schema}.entry set format = format where key = 'k';
        perform pg_sleep(0.005);
        commit;
      end loop;
    end $$`
}

/** Each begins when the one before is over; none rejects here. */
async function oneByOne(count: number, call: (at: number) => Promise<unknown>): Promise<Promise<unknown>[]> {
  const calls: Promise<unknown>[] = []
  for (let at = 0; at < count; at += 1) {
    const one = call(at)
    calls.push(one)
    await one.catch(() => {})
  }
  return calls
}

/** Each round writes rows that all others write. */
function onHotKeys(stash: PgStash, count: number, { sweeps = true } = {}): Promise<unknown>[] {
  const cache = stash.namespace('hot')
  const sessions = new Sessions({ stash })
  const limiter = new RateLimiter({ stash, limit: 1_000_000, windowMs: 60_000 })
  const blocking = new RateLimiter({ stash, name: 'b', limit: 5, windowMs: 60_000, block: { blockMs: 1_000 } })
  const work = [
    () => cache.set('k', 1),
    () => cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: 1 }))),
    () => sessions.set('s', { n: Math.random() }),
    () => limiter.consume('c'),
    () => blocking.consume('c'),
    () => cache.delete('a'),
    () => cache.add('b', 1),
    () => stash.namespace('cleared').set('k', 1),
    () => stash.namespace('cleared').clear(),
    () => cache.deleteByPrefix('c'),
    ...(sweeps ? [() => stash.sweep()] : []),
  ]
  const oneByOne = async () => {
    for (let round = 0; round < count; round += 1) {
      await Promise.all([cache.increment('hits'), (work[round % work.length] as () => Promise<unknown>)()])
    }
  }
  return [oneByOne()]
}
