import type { PgStash } from 'pgstash'
import { load, type OwnStash, withOwnStash } from '../contestants/own-stash'
import type { Settings } from '../measuring/settings'
import type { Verdict } from '../measuring/verdict'

interface Sizes {
  readonly table: number
  readonly index: number
}

/**
 * Every key written ten times over in random order, each time with another expiry: how many of the updates stayed on their page and touched
 * no index (HOT), and how much larger the table and its index became. The server's autovacuum runs as it is set.
 */
export async function overwrites(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'overwrites', false, async (own) => {
    const cache = own.stash.namespace('overwrites')
    const value = 'x'.repeat(300)
    await load(cache, settings.keys, value, 3_600_000)
    const fresh = await sizes(own)
    for (let round = 1; round <= 10; round += 1) await overwrite(cache, settings.keys, value, 3_600_000 + round * 1_000)
    const worn = await sizes(own)
    const hot = await shareOfHotUpdates(own)
    return [
      { what: 'HOT updates among overwrites with moving expiries', reached: hot, bound: 0.9, is: 'at least' },
      {
        what: 'table after ten overwrites of every key, over fresh',
        reached: worn.table / fresh.table,
        bound: 2,
        is: 'at most',
      },
      {
        what: 'index after ten overwrites of every key, over fresh',
        reached: worn.index / fresh.index,
        bound: 2,
        is: 'at most',
      },
    ]
  })
}

/** Each key once, in an order of its own, by 64 callers. */
async function overwrite(cache: ReturnType<PgStash['namespace']>, count: number, value: string, ttl: number) {
  const keys = Array.from({ length: count }, (_, at) => `key:${at}`)
  for (let at = count - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1))
    ;[keys[at], keys[other]] = [keys[other] as string, keys[at] as string]
  }
  const caller = async () => {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) await cache.set(key, value, { ttl })
  }
  await Promise.all(Array.from({ length: 64 }, caller))
}

async function sizes({ client, schema }: OwnStash): Promise<Sizes> {
  const { rows } = await client.query(
    'select pg_table_size($1::regclass)::float8 as table, pg_indexes_size($1::regclass)::float8 as index',
    [`${schema}.entry`],
  )
  return rows[0] as Sizes
}

async function shareOfHotUpdates({ client, schema }: OwnStash): Promise<number> {
  // A session tells its statistics a second late at most.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const { rows } = await client.query(
    `select n_tup_hot_upd::float8 / n_tup_upd as share from pg_stat_user_tables where schemaname = $1 and relname = 'entry'`,
    [schema],
  )
  return (rows[0] as { share: number }).share
}
