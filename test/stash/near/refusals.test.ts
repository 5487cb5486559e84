import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { NearCacheError } from '../../../src/errors'
import type { Cache } from '../../../src/stash/entries/cache'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema, urlAs } from '../../support/bodies'
import { TestServer } from '../../support/servers/postgres'
import { sleep } from '../../support/sleep'

const failureOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'answered',
    (error: unknown) => error,
  )

/** Reads until the value comes from memory. */
async function warmed(stash: PgStash, cache: Cache): Promise<void> {
  await expect
    .poll(
      async () => {
        const { hits } = stash.near.stats()
        expect(await cache.get('k')).toBe('v')
        return stash.near.stats().hits - hits
      },
      { timeout: 30_000, interval: 5 },
    )
    .toBe(1)
}

async function refused(stash: PgStash, reason: string): Promise<void> {
  const cache = stash.namespace('n', { near: true })
  // Each read says so, not the first one alone: they may be anybody's.
  for (const asked of [cache.get('k'), cache.getMany(['k', 'other']), cache.getEntry('k'), cache.has('k')]) {
    const error = await failureOf(asked)
    expect(error).toBeInstanceOf(NearCacheError)
    expect(error).toMatchObject({ code: 'ERR_PGSTASH_NEAR_CACHE', reason })
  }
  expect(await failureOf(cache.get('k'))).toMatchObject({ reason })
  expect(await failureOf(stash.near.sync())).toMatchObject({ reason })
  // Who does not ask for near is not concerned.
  expect(await stash.namespace('n').get('k')).toBe('v')
  expect(stash.near.stats()).toMatchObject({ entries: 0, hits: 0, checkedMsAgo: undefined })
}

describe('where nothing can be held near', () => {
  describe('the server is a standby', () => {
    let primary: TestServer
    let standby: TestServer
    beforeAll(async () => {
      primary = await TestServer.create()
      await primary.start()
      const stash = new PgStash(primary.url())
      await stash.namespace('n').set('k', 'v')
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

    it('reads say so until it is promoted, and are answered from memory then', async () => {
      const stash = new PgStash({ connectionString: standby.url(), sweeper: false })
      await refused(stash, 'standby')
      const admin = new pg.Client({ connectionString: standby.url() })
      await admin.connect()
      await admin.query('select pg_promote()')
      await admin.end()
      const cache = stash.namespace('n', { near: true })
      await expect.poll(() => failureOf(cache.get('k')), { timeout: 30_000 }).toBe('answered')
      await warmed(stash, cache)
      await stash.close()
    }, 120_000)
  })

  it('the session may only read, and nobody has begun the log: it is not called a standby', async () => {
    const connectionString = inject('postgresUrl')
    const schema = freshSchema()
    const owner = new PgStash({ connectionString, schema, sweeper: false })
    await owner.namespace('n').set('k', 'v')
    const address = new URL(connectionString)
    address.searchParams.set('options', '-c default_transaction_read_only=on')
    const reader = new PgStash({ connectionString: address.href, schema, sweeper: false, migrate: false })
    await refused(reader, 'read-only')
    await expect(reader.near.sync()).rejects.toThrow('default_transaction_read_only')
    // Once somebody has begun it, reading is enough.
    const near = owner.namespace('n', { near: true })
    await near.get('k')
    expect(await failureOf(reader.namespace('n', { near: true }).get('k'))).toBe('answered')
    await reader.close()
    await owner.close()
  })

  describe('the role', () => {
    const url = inject('postgresUrl')
    const schema = freshSchema()
    const role = `${schema}_app`
    const tables = ['invalidation', 'incarnation', 'turn'].map((table) => `${schema}.${table}`).join()
    const admin = new pg.Pool({ connectionString: url, max: 1 })
    let owner: PgStash
    beforeAll(async () => {
      owner = new PgStash({ connectionString: url, schema, sweeper: false })
      await owner.namespace('n').set('k', 'v')
      await admin.query(`create role ${role} login`)
      await owner.grantTo(role)
    })
    afterAll(async () => {
      await owner.close()
      await admin.query(`drop schema ${schema} cascade; drop role ${role}`)
      await admin.end()
    })
    const asApp = () => new PgStash({ connectionString: urlAs(role, url), schema, sweeper: false, migrate: false })

    it.each([
      ['was granted nothing of the log', `revoke all on ${tables} from ${role}`],
      ['may not call what reads it', `revoke all on function ${schema}.near_poll(xid8, xid8[]) from ${role}, public`],
    ])('%s: reads say so until it is granted, and are answered from memory then', async (_what, revoke) => {
      await admin.query(revoke)
      const stash = asApp()
      await refused(stash, 'rights')
      await owner.grantTo(role)
      const cache = stash.namespace('n', { near: true })
      await warmed(stash, cache)
      await stash.close()
    })

    it('that loses its right later is answered from the database, and from memory once it has it again', async () => {
      const near = { maxStalenessMs: 300, pollMs: 50, listen: false } as const
      const stash = new PgStash({ connectionString: urlAs(role, url), schema, sweeper: false, migrate: false, near })
      const cache = stash.namespace('n', { near: true })
      await warmed(stash, cache)
      await admin.query(`revoke all on ${schema}.invalidation from ${role}`)
      await sleep(500)
      await owner.namespace('n').set('k', 'new')
      const { hits } = stash.near.stats()
      expect([await cache.get('k'), await cache.get('k')]).toEqual(['new', 'new'])
      expect(stash.near.stats().hits).toBe(hits)
      await owner.namespace('n').set('k', 'v')
      await owner.grantTo(role)
      await warmed(stash, cache)
      await stash.close()
    })
  })
})
