import pg from 'pg'
import { PgStash, type PgStashOptions } from 'pgstash'
import { runSql } from '../measuring/run-sql'
import type { Settings } from '../measuring/settings'

/** A stash on a schema of its own for one part of the benchmark, and a connection to ask the server about it. */
export interface OwnStash {
  readonly stash: PgStash
  readonly schema: string
  readonly client: pg.Client
}

/** Opens it, runs `work`, and leaves nothing behind. */
export async function withOwnStash<T>(
  { databaseUrl }: Settings,
  name: string,
  isUnlogged: boolean,
  work: (own: OwnStash) => Promise<T>,
  options: PgStashOptions = {},
): Promise<T> {
  const schema = `pgstash_bench_${name}`
  await runSql(databaseUrl, `drop schema if exists ${schema} cascade`)
  // Large batches of a loaded machine take their time; nothing here is about time limits.
  const stash = new PgStash({
    connectionString: databaseUrl,
    schema,
    unlogged: isUnlogged,
    timeoutMs: 120_000,
    sweeper: false,
    ...options,
  })
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    await stash.ready()
    return await work({ stash, schema, client })
  } finally {
    await stash.close()
    await client.query(`drop schema if exists ${schema} cascade`)
    await client.end()
  }
}

/** Writes `count` entries, `prefix:first` and on, in batches. */
export async function load(
  cache: ReturnType<PgStash['namespace']>,
  count: number,
  value: string,
  ttl?: number,
  prefix = 'key',
  first = 0,
): Promise<void> {
  for (let from = 0; from < count; from += 5_000) {
    const size = Math.min(5_000, count - from)
    const numbers = Array.from({ length: size }, (_, at) => first + from + at)
    await cache.setMany(numbers.map((number) => ({ key: `${prefix}:${number}`, value, ttl })))
  }
}
