import pg from 'pg'
import { load, withOwnStash } from '../contestants/own-stash'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import type { Verdict } from '../measuring/verdict'

/**
 * One caller: `getEntry` and `increment` against a named statement for one row on a `pg` pool, in turns. The rows are of the same
 * width; the raw ones have one key column, and know neither tenants nor expiry nor versions.
 */
export async function latency(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'latency', true, async ({ stash, client, schema }) => {
    const cache = stash.namespace('latency')
    const value = 'x'.repeat(300)
    await load(cache, 10_000, value)
    await client.query(
      `create unlogged table ${schema}.raw (key text primary key, value text, n bigint) with (fillfactor = 80)`,
    )
    await client.query(`insert into ${schema}.raw select 'key:' || i, $1, 0 from generate_series(0, 9999) i`, [value])
    const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: 5 })
    const key = () => `key:${Math.floor(Math.random() * 10_000)}`
    const counter = () => `counter:${Math.floor(Math.random() * 10_000)}`
    const select = `select value from ${schema}.raw where key = $1`
    const add = `insert into ${schema}.raw as r (key, n) values ($1, 1) on conflict (key) do update set n = r.n + 1 returning n`
    const operations = {
      getEntry: () => cache.getEntry(key()),
      'raw select': () => pool.query({ name: 'select', text: select, values: [key()] }),
      increment: () => cache.increment(counter()),
      'raw increment': () => pool.query({ name: 'add', text: add, values: [counter()] }),
    }
    const figureOf = await takeTurns(operations, 1, settings)
    const p50 = (name: keyof typeof operations) => figureOf(name).p50Ms
    await pool.end()
    return [
      {
        what: 'getEntry, 1 caller, p50 over a raw named select',
        reached: p50('getEntry') / p50('raw select'),
        bound: 1.2,
        is: 'at most',
      },
      {
        what: 'increment, 1 caller, p50 over a raw named upsert',
        reached: p50('increment') / p50('raw increment'),
        bound: 1.2,
        is: 'at most',
      },
    ]
  })
}
