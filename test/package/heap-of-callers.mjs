// What the process keeps of callers who send long keys: `node --expose-gc test/package/heap-of-callers.mjs <url> [callers] [bytes]`, after `npm run build`.
import pg from 'pg'
import { LoginLimiter, PgStash, RateLimiter } from 'pgstash'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { PgSessionStore } from 'pgstash/express-session'
import { fastifyRateLimitStore } from 'pgstash/fastify-rate-limit'
import { KeyvPgStore } from 'pgstash/keyv'
import { PgThrottlerStorage } from 'pgstash/nestjs-throttler'

const [connectionString, callers = '10000', bytes = '50000', only = ''] = process.argv.slice(2)
const schema = 'heap_of_callers'
const stash = new PgStash({ connectionString, schema, sweeper: false, timeoutMs: 60_000 })
await stash.ready()
// Refuses at once: the breaker opens, and limiters count here.
const away = new PgStash({
  connectionString: 'postgres://127.0.0.1:1/nowhere',
  breaker: { failures: 1, cooldownMs: 600_000 },
})

const windowMs = 600_000
const limit = 1
const block = { blockMs: windowMs }

/** Of each store: what it does for one caller. Limiters deny him in the end, and remember it. */
const stores = {
  RateLimiter: () => {
    const limiter = new RateLimiter({ stash, limit: 0, windowMs })
    return (key) => limiter.consume(key)
  },
  'RateLimiter, GCRA, several limits and a block': () => {
    const limits = [
      { limit: 0, windowMs },
      { limit: 1, windowMs: 1_000 },
    ]
    const limiter = new RateLimiter({ stash, name: 'several', algorithm: 'gcra', limits, block })
    return (key) => limiter.consume(key)
  },
  'RateLimiter, forgetting': () => {
    const limiter = new RateLimiter({ stash, name: 'forgetting', limit, windowMs })
    return (key) => limiter.reset(key)
  },
  "RateLimiter, onError: 'memory'": () => {
    const limiter = new RateLimiter({ stash: away, limit, windowMs, onError: 'memory' })
    return (key) => limiter.consume(key)
  },
  LoginLimiter: () => {
    const logins = new LoginLimiter({ stash, attempts: 0, limits: { username: 0, ip: false, usernameAndIp: false } })
    return (username) => logins.begin({ username, ip: '192.0.2.1' })
  },
  'LoginLimiter, by all': () => {
    const logins = new LoginLimiter({ stash, name: 'by-all', attempts: 0, block: false })
    return (text) => logins.begin({ username: text, ip: text })
  },
  'LoginLimiter, onError: memory': () => {
    const logins = new LoginLimiter({ stash: away, onError: 'memory' })
    return (text) => logins.begin({ username: text, ip: text })
  },
  'express-rate-limit, hono-rate-limiter': () => {
    const store = new PgRateLimitStore({ stash, limit: 0 })
    return (key) => store.increment(key)
  },
  '@fastify/rate-limit': () => {
    const Store = fastifyRateLimitStore({ stash })
    const store = new Store({})
    return (key) =>
      new Promise((resolve, reject) => store.incr(key, (error) => (error ? reject(error) : resolve()), windowMs, 0))
  },
  '@nestjs/throttler': () => {
    const storage = new PgThrottlerStorage({ stash })
    return (key) => storage.increment(key, windowMs, 0, 0, 'default')
  },
  '@nestjs/throttler, a throttler for each caller': () => {
    const storage = new PgThrottlerStorage({ stash })
    let asked = 0
    return (key) => storage.increment(key, windowMs, 0, 0, `throttler ${asked++ % 2_000}`)
  },
  sessions: () => {
    const store = new PgSessionStore({ stash })
    return (id) => store.get(id)
  },
  'cache, missing keys': () => {
    const cache = stash.namespace('missing')
    return (key) => cache.get(key)
  },
  'cache, a namespace for each caller': () => (key) => stash.namespace(key.slice(0, 500)).get(key),
  'cache, a tenant for each caller': () => (key) => stash.tenant(key.slice(0, 250)).namespace('a').get(key),
  // A piece of a text holds on to all of it.
  'RateLimiter, a piece of a text': () => {
    const limiter = new RateLimiter({ stash, name: 'piece', limit: 0, windowMs })
    return (text) => limiter.consume(text.slice(0, 40))
  },
  "RateLimiter, a piece of a text, onError: 'memory'": () => {
    const limiter = new RateLimiter({ stash: away, name: 'piece', limit, windowMs, onError: 'memory' })
    return (text) => limiter.consume(text.slice(0, 40))
  },
  'express-rate-limit, a piece of a text': () => {
    const store = new PgRateLimitStore({ stash, prefix: 'piece', limit: 0 })
    return (text) => store.increment(text.slice(0, 40))
  },
  'cache, taken': () => {
    const cache = stash.namespace('taken')
    return (key) => cache.take(key)
  },
  Keyv: () => {
    const store = new KeyvPgStore(stash)
    return (key) => store.get(key)
  },
  'Keyv, a namespace for each caller': () => {
    const store = new KeyvPgStore(stash)
    return (key) => {
      store.namespace = key.slice(0, 250)
      return store.get('k')
    }
  },
}

/** A string of its own for each caller, none that shares memory with another. */
function keyOf(at) {
  const key = Buffer.alloc(Number(bytes), 'x')
  key.write(`${at}:`)
  return key.toString('latin1')
}

async function ask(work, from, to) {
  for (let at = from; at < to; at += 64) {
    await Promise.all(Array.from({ length: Math.min(64, to - at) }, (_, ahead) => work(keyOf(at + ahead))))
  }
}

async function heapBytes() {
  // What is under way in timers and sockets lets go of it first.
  await new Promise((resolve) => setTimeout(resolve, 20))
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

for (const [store, open] of Object.entries(stores)) {
  if (!store.includes(only)) continue
  const work = open()
  await ask(work, 0, 50)
  const before = await heapBytes()
  await ask(work, 50, 50 + Number(callers))
  const after = await heapBytes()
  console.log(JSON.stringify({ store, callers: Number(callers), before, after, grown: after - before }))
  // Until here it is held.
  await work(keyOf(0))
}
await away.close()
await stash.close()
const connection = new pg.Client({ connectionString })
await connection.connect()
await connection.query(`drop schema ${schema} cascade`)
await connection.end()
