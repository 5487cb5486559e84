import { readFileSync } from 'node:fs'
import KeyvPostgres from '@keyv/postgres'
import connectPgSimple from 'connect-pg-simple'
import type { Store as LimitStore } from 'express-rate-limit'
import session from 'express-session'
import Keyv from 'keyv'
import pg from 'pg'
import { RateLimiterPostgres } from 'rate-limiter-flexible'
import { runSql } from '../../measuring/run-sql'
import { type Places, type Stack, windowMs } from './stack'

const schema = 'pgstash_bench_app_incumbents'
const drop = `drop schema if exists ${schema} cascade`

/** connect-pg-simple, rate-limiter-flexible and @keyv/postgres, each with its own table and ten connections. */
export async function postgresStores({ databaseUrl }: Places): Promise<Stack> {
  const table = readFileSync('node_modules/connect-pg-simple/table.sql', 'utf8')
  await runSql(databaseUrl, `${drop}; create schema ${schema}; set search_path to ${schema}; ${table}`)
  const pools = [0, 1].map(() => new pg.Pool({ connectionString: databaseUrl, max: 10 })) as [pg.Pool, pg.Pool]
  const ConnectStore = connectPgSimple(session)
  const sessions = new ConnectStore({ pool: pools[0], schemaName: schema, pruneSessionInterval: false })
  const pages = new KeyvPostgres({ uri: databaseUrl, schema, table: 'pages', max: 10 })
  return {
    limits: await flexible(pools[1]),
    sessions,
    cache: new Keyv({ store: pages, throwOnErrors: true }),
    close: async () => {
      await sessions.close()
      await pages.disconnect()
      for (const pool of pools) await pool.end()
      await runSql(databaseUrl, drop)
    },
  }
}

/** As a store of express-rate-limit, so that the app is the same on every stack. */
async function flexible(pool: pg.Pool): Promise<LimitStore> {
  const options = {
    storeClient: pool,
    schemaName: schema,
    tableName: 'hits',
    points: Number.MAX_SAFE_INTEGER,
    duration: windowMs / 1_000,
    clearExpiredByTimeout: false,
  }
  const limiter = await new Promise<RateLimiterPostgres>((resolve, reject) => {
    const made = new RateLimiterPostgres(options, (error) => (error ? reject(error) : resolve(made)))
  })
  return {
    increment: async (key) => {
      const { consumedPoints, msBeforeNext } = await limiter.consume(key)
      return { totalHits: consumedPoints, resetTime: new Date(Date.now() + msBeforeNext) }
    },
    decrement: async (key) => void (await limiter.reward(key)),
    resetKey: async (key) => void (await limiter.delete(key)),
  }
}
