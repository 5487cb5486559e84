// What each block of code in the pages may use without saying where it has it from. A block that declares one of these names itself has its own.
import type { PGlite } from '@electric-sql/pglite'
import type expressModule from 'express'
import type { rateLimit as expressRateLimit } from 'express-rate-limit'
import type expressSession from 'express-session'
import type { Keyv as Keyv5 } from 'keyv'
import type pg from 'pg'
import type * as own from 'pgstash'
import type * as cacheManager from 'pgstash/cache-manager'
import type * as expressLimits from 'pgstash/express-rate-limit'
import type * as expressSessions from 'pgstash/express-session'
import type * as fastifyLimits from 'pgstash/fastify-rate-limit'
import type * as keyvStore from 'pgstash/keyv'
import type * as throttler from 'pgstash/nestjs-throttler'
import type * as telemetry from 'pgstash/opentelemetry'
import type * as prometheus from 'pgstash/prometheus'
import type { createClient } from 'redis-client-6'

declare global {
  const stash: own.PgStash
  const cache: own.Cache
  const views: own.Cache
  const pool: pg.Pool
  const pglite: PGlite
  const url: string
  /** Of Redis. */
  const client: ReturnType<typeof createClient>
  const key: string
  const secret: string
  const signal: AbortSignal
  const userId: string
  const username: string
  const password: string
  const ip: string

  const express: typeof expressModule
  const app: expressModule.Express
  const req: expressModule.Request
  const res: expressModule.Response
  const next: expressModule.NextFunction
  const session: typeof expressSession
  const rateLimit: typeof expressRateLimit
  const Keyv: typeof Keyv5

  const PgStash: typeof own.PgStash
  const RateLimiter: typeof own.RateLimiter
  const LoginLimiter: typeof own.LoginLimiter
  const rateLimitHeaders: typeof own.rateLimitHeaders
  const addressKey: typeof own.addressKey
  const KeyvPgStore: typeof keyvStore.KeyvPgStore
  const createKeyv: typeof keyvStore.createKeyv
  const pgStore: typeof cacheManager.pgStore
  const pgStore4: typeof cacheManager.pgStore4
  const PgCacheManagerStore: typeof cacheManager.PgCacheManagerStore
  const PgSessionStore: typeof expressSessions.PgSessionStore
  const PgRateLimitStore: typeof expressLimits.PgRateLimitStore
  const fastifyRateLimitStore: typeof fastifyLimits.fastifyRateLimitStore
  const PgThrottlerStorage: typeof throttler.PgThrottlerStorage
  const prometheusText: typeof prometheus.prometheusText
  const prometheusContentType: typeof prometheus.prometheusContentType
  const observeStash: typeof telemetry.observeStash
}
