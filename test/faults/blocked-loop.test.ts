import pg from 'pg'
import { expect, inject, it } from 'vitest'
import type { PgPool } from '../../src/postgres/wire/pg/driver'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { madeSchema } from '../support/bodies'
import { PlainPool } from '../support/plain-pool'

const timeoutMs = 400

/** Longer than a call, a statement and a connection may take. */
function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * timeoutMs)
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

const connectionString = inject('postgresUrl')

const pools: Record<string, () => { options: PgStashOptions; end(): Promise<void> }> = {
  'a pool of its own': () => ({ options: { connectionString }, end: async () => {} }),
  "a caller's pool": () => {
    const pool = new pg.Pool({ connectionString })
    return { options: { pool: pool as PgPool }, end: () => pool.end() }
  },
  'a pool that takes configs only': () => {
    const pool = new PlainPool(connectionString)
    return { options: { pool }, end: () => pool.end() }
  },
}

/** The answer lies in the socket before the loop gets to look at its timers. */
it.each(Object.keys(pools))(
  'over %s, a loop that stands still for longer than the time limit costs no call',
  async (name) => {
    const { options, end } = (pools[name] as (typeof pools)[string])()
    const stash = new PgStash({
      ...options,
      schema: await madeSchema(inject('postgresUrl')),
      timeoutMs,
      sweeper: false,
    })
    await stash.migrate()
    const cache = stash.namespace('blocked')
    await cache.set('k', 0)
    for (let round = 1; round <= 5; round += 1) {
      const calls = [cache.increment('k'), cache.get('k'), cache.set('other', round), stash.stats(), cache.clear()]
      await turn()
      block()
      await expect(Promise.all(calls)).resolves.toHaveLength(calls.length)
    }
    await stash.close()
    await end()
  },
)
