import pg from 'pg'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import type { NearOptions } from '../../../src/stash/options/told'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema } from '../../support/bodies'
import { FaultyProxy } from '../../support/servers/faulty-proxy'
import { sleep } from '../../support/sleep'

const boundMs = 400
const graceMs = 1_200

type How = 'refused' | 'silent'

describe('while the database is away', () => {
  const url = inject('postgresUrl')
  const schema = freshSchema()
  let straight: PgStash
  beforeAll(async () => {
    straight = new PgStash({ connectionString: url, schema, sweeper: false })
    await straight.ready()
    return async () => {
      await straight.close()
      const client = new pg.Client(url)
      await client.connect()
      await client.query(`drop schema ${schema} cascade`)
      await client.end()
    }
  })

  interface Away {
    readonly cache: Cache
    /** No look at the log was answered after it. */
    readonly since: number
  }

  /** A warm memory whose database has just gone. */
  const away = async (how: How, options: NearOptions, work: (away: Away) => Promise<void>) => {
    const proxy = await FaultyProxy.before(url)
    const near = { maxStalenessMs: boundMs, pollMs: 50, listen: false } as const
    const breaker = { cooldownMs: 50 }
    const stash = new PgStash({ connectionString: proxy.url, schema, sweeper: false, timeoutMs: 250, breaker, near })
    const cache = stash.namespace('n', { near: options })
    await cache.set('home', 1)
    await expect
      .poll(
        async () => {
          const { hits } = stash.near.stats()
          await cache.get('home')
          return stash.near.stats().hits - hits
        },
        { timeout: 10_000, interval: 5 },
      )
      .toBe(1)
    if (how === 'silent') proxy.freeze()
    else await proxy.close()
    try {
      await work({ cache, since: performance.now() })
    } finally {
      if (how === 'silent') await proxy.close()
      await stash.close()
    }
  }

  /** Asks until it fails: when the last answer was asked for, when it failed, and with what. */
  const lastOf = async (ask: () => Promise<unknown>) => {
    let answeredAt = Number.NEGATIVE_INFINITY
    for (;;) {
      const askedAt = performance.now()
      try {
        expect(await ask()).toBe(1)
        answeredAt = askedAt
      } catch (error) {
        return { answeredAt, failedAt: askedAt, error: error as { code?: string } }
      }
      await sleep(5)
    }
  }

  const outages = /^ERR_PGSTASH_(CONNECTION|CIRCUIT_OPEN|TIMEOUT)$/

  describe.each(['refused', 'silent'] as const)('and connections are %s', (how) => {
    it('memory answers within the bound, and then the read fails', async () => {
      await away(how, {}, async ({ cache, since }) => {
        const { answeredAt, error } = await lastOf(() => cache.get('home'))
        expect(answeredAt).toBeGreaterThan(since)
        expect(answeredAt - since).toBeLessThanOrEqual(boundMs)
        expect(error.code).toMatch(outages)
      })
    })

    it('memory answers for staleIfErrorMs more, and then the read fails', async () => {
      await away(how, { staleIfErrorMs: graceMs }, async ({ cache, since }) => {
        const { answeredAt, error } = await lastOf(() => cache.get('home'))
        expect(answeredAt - since).toBeGreaterThan(boundMs)
        expect(answeredAt - since).toBeLessThanOrEqual(boundMs + graceMs)
        expect(error.code).toMatch(outages)
      })
    })
  })

  it('what staleIfErrorMs gives is given to every verb that reads, to nobody who wants it fresh, and to no newer version', async () => {
    await away('refused', { staleIfErrorMs: 60_000 }, async ({ cache }) => {
      await sleep(boundMs + 100)
      const { version } = await straight.namespace('n').set('home', 2)
      expect(await cache.get('home')).toBe(1)
      expect(await cache.getMany(['home'])).toEqual([1])
      expect(await cache.has('home')).toBe(true)
      expect(await cache.ttl('home')).toBe(null)
      expect(await cache.getEntry('home')).toMatchObject({ value: 1 })
      await expect(cache.get('home', { fresh: true })).rejects.toThrow()
      await expect(cache.get('home', { minVersion: version })).rejects.toThrow()
      await expect(cache.getEntry('home', { fresh: true })).rejects.toThrow()
      await expect(cache.getEntry('home', { minVersion: version })).rejects.toThrow()
      // All or nothing: no part of an answer.
      await expect(cache.getMany(['home', 'never held'])).rejects.toThrow()
      await straight.namespace('n').set('home', 1)
    })
  })

  it('an entry that has expired, or that this process has deleted, is not given', async () => {
    await away('silent', { staleIfErrorMs: 60_000 }, async ({ cache }) => {
      await expect(cache.delete('home')).rejects.toThrow()
      await expect(cache.get('home')).rejects.toThrow()
    })
    await away('refused', { staleIfErrorMs: 60_000, ttl: boundMs + 300 }, async ({ cache }) => {
      await sleep(boundMs + 400)
      await expect(cache.get('home')).rejects.toThrow()
    })
  })
})
