import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { TestServer } from '../support/servers/postgres'

let primary: TestServer
let standby: TestServer

beforeAll(async () => {
  primary = await TestServer.create()
  await primary.start()
  const stash = new PgStash(primary.url())
  await stash.namespace('n').set('k', 'v')
  await new Sessions({ stash }).set('s', { user: 'ada' })
  await new RateLimiter({ stash, limit: 5, windowMs: 600_000 }).consume('c')
  await stash.close()
  await primary.stop()
  standby = await primary.standby()
  await primary.start()
  await standby.start()
}, 120_000)

afterAll(async () => {
  // The standby's processes read the binaries in the primary's directory.
  await standby?.remove()
  await primary?.remove()
})

it('a hot standby is read with default options, refuses writes as an outage, and takes them once it is promoted', async () => {
  const [writing, reading] = [new PgStash(primary.url()), new PgStash(standby.url())]
  const cache = reading.namespace('n')
  expect([await cache.get('k'), await listed(cache.keys())]).toEqual(['v', ['k']])
  expect(await new Sessions({ stash: reading }).get('s')).toMatchObject({ user: 'ada' })
  // Counters are unlogged, unless `loggedCounters`: a standby has none of them.
  const limiter = new RateLimiter({ stash: reading, limit: 5, windowMs: 600_000 })
  await expect(limiter.peek('c')).rejects.toMatchObject({ code: 'ERR_PGSTASH_DATABASE', sqlState: '0A000' })

  await writing.namespace('n').set('later', 1)
  await expect.poll(() => cache.get('later'), { timeout: 30_000 }).toBe(1)
  await expect(cache.set('k', 'refused')).rejects.toMatchObject({ sqlState: '25006' })
  expect(await cache.get('k')).toBe('v')
  await writing.close()

  const admin = new pg.Client({ connectionString: standby.url() })
  await admin.connect()
  await admin.query('select pg_promote()')
  await admin.end()
  await expect.poll(() => cache.set('k', 'promoted').then(() => 'taken', String), { timeout: 30_000 }).toBe('taken')
  expect(await cache.get('k')).toBe('promoted')
  expect(await limiter.consume('c')).toMatchObject({ isAllowed: true, remaining: 4 })
  await reading.close()
}, 120_000)

async function listed(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = []
  for await (const key of keys) found.push(key)
  return found
}
