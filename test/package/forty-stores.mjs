import Keyv from 'keyv'
import Keyv6 from 'keyv6'
import pg from 'pg'
import { LoginLimiter, RateLimiter, Sessions } from 'pgstash'
import { PgCacheManagerStore, pgStore } from 'pgstash/cache-manager'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { PgSessionStore } from 'pgstash/express-session'
import { fastifyRateLimitStore } from 'pgstash/fastify-rate-limit'
import { PgSessionStore as FastifyPgSessionStore } from 'pgstash/fastify-session'
import { createKeyv, KeyvPgStore } from 'pgstash/keyv'
import { PgThrottlerStorage } from 'pgstash/nestjs-throttler'

/*
 * Makes 40 stores of all kinds from one URL, uses each, closes them if told to, and does nothing to end the process. Prints how many backends there were, and
 * the moment at which there was nothing left to do.
 */

const [connectionString, application, ending] = process.argv.slice(2)

const session = (store) => [() => store.set('k', {}), () => store.close()]
const keyv = (cache) => [() => cache.set('k', 1), () => cache.disconnect()]
const manager = (store) => [() => store.set('k', 1), () => store.disconnect()]

const makers = [
  () => keyv(new Keyv(new KeyvPgStore(connectionString))),
  () => keyv(new Keyv6(new KeyvPgStore({ connectionString, namespace: 'other' }))),
  () => keyv(createKeyv(Keyv, { connectionString, namespace: 'views' })),
  () => manager(pgStore({ connectionString })),
  () => manager(new PgCacheManagerStore(connectionString)),
  () => session(new PgSessionStore({ connectionString })),
  () => session(new FastifyPgSessionStore({ connectionString, lostUpdates: 'reject' })),
  () => session(new Sessions({ connectionString, tenant: 'acme' })),
  () => {
    const store = new PgRateLimitStore({ connectionString })
    return [() => store.increment('k'), () => store.shutdown()]
  },
  () => {
    const Store = fastifyRateLimitStore({ connectionString })
    return [() => new Promise((resolve) => new Store().incr('k', resolve, 1_000, 5)), () => Store.close()]
  },
  () => {
    const storage = new PgThrottlerStorage({ connectionString })
    return [() => storage.increment('k', 1_000, 5, 0, 'default'), () => storage.onApplicationShutdown()]
  },
  () => {
    const limiter = new RateLimiter({ connectionString, limit: 5, windowMs: 1_000 })
    return [() => limiter.consume('k'), () => limiter.close()]
  },
  () => {
    const limiter = new LoginLimiter({ connectionString })
    return [() => limiter.peek({ username: 'ada', ip: '192.0.2.1' }), () => limiter.close()]
  },
]

const stores = Array.from({ length: 40 }, (_, at) => makers[at % makers.length]())
await Promise.all(stores.map(([use]) => use()))
const backends = await countBackends()
if (ending === 'closed') for (const [, close] of stores) await close()
console.log(JSON.stringify({ backends, doneAt: Date.now() }))

/** By a connection under another name. */
async function countBackends() {
  const client = new pg.Client({ connectionString, application_name: `${application}_counting` })
  await client.connect()
  const question = 'select count(*)::int as n from pg_stat_activity where application_name = $1'
  const { rows } = await client.query(question, [application])
  await client.end()
  return rows[0].n
}
