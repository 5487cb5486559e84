import { createClient } from '@keyv/redis'
import pg from 'pg'
import type { PgStash } from 'pgstash'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { RedisStore } from 'rate-limit-redis'
import { RateLimiterPostgres } from 'rate-limiter-flexible'

/** Counts a hit of a caller. */
export interface HitCounter {
  hit(key: string): Promise<unknown>
  /** Closes; before that forgets the hits of these callers, where that needs more than its schema to be dropped. */
  close(keys: readonly string[]): Promise<void>
}

export const windowMs = 900_000
/** More than anybody sends: what is measured is counting, not denying. */
export const limit = 50_000_000

export function ours(stash: PgStash): HitCounter {
  const store = new PgRateLimitStore({ stash })
  store.init({ windowMs, limit })
  return { hit: (key) => store.increment(key), close: () => store.shutdown() }
}

/** rate-limiter-flexible, with the table that it makes; where asked, unlogged as ours is. */
export async function flexible(databaseUrl: string, schema: string, isUnlogged: boolean): Promise<HitCounter> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const tableName = isUnlogged ? 'flexible_unlogged' : 'flexible'
  const options = {
    storeClient: pool,
    schemaName: schema,
    tableName,
    points: limit,
    duration: windowMs / 1_000,
    clearExpiredByTimeout: false,
  }
  const limiter = await new Promise<RateLimiterPostgres>((resolve, reject) => {
    const made = new RateLimiterPostgres(options, (error) => (error ? reject(error) : resolve(made)))
  })
  if (isUnlogged) await pool.query(`alter table ${schema}.${tableName} set unlogged`)
  return { hit: (key) => limiter.consume(key), close: () => pool.end() }
}

/** rate-limit-redis; undefined where no Redis answers. */
export async function redis(url: string): Promise<HitCounter | undefined> {
  const client = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 500 } })
  client.on('error', () => {})
  const isConnected = await client.connect().then(
    () => true,
    () => false,
  )
  if (!isConnected) return undefined
  const store = new RedisStore({
    sendCommand: (...command) => client.sendCommand(command),
    prefix: 'pgstash-bench-rl:',
  })
  // Of the host's options it reads the window only.
  await store.init({ windowMs } as Parameters<typeof store.init>[0])
  return {
    hit: (key) => store.increment(key),
    close: async (keys) => {
      await client.unlink(keys.map((key) => store.prefixKey(key)))
      await client.close()
    },
  }
}
