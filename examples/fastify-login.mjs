// A Fastify app on one stash: login, sessions, a rate limit on all routes, a brake on password guessing, and a Keyv.
import { PGlite } from '@electric-sql/pglite'
import fastifyCookie from '@fastify/cookie'
import fastifyRateLimit from '@fastify/rate-limit'
import fastifySession from '@fastify/session'
import fastify from 'fastify'
import Keyv from 'keyv'
import { LoginLimiter, PgStash, RateLimiter, rateLimitHeaders } from 'pgstash'
import { fastifyRateLimitStore } from 'pgstash/fastify-rate-limit'
import { PgSessionStore } from 'pgstash/fastify-session'
import { KeyvPgStore } from 'pgstash/keyv'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const sessions = new PgSessionStore({ stash, userId: (session) => session.user })
// Whoever shares an office shares its address: by that alone, many may mistype before anybody is denied.
const logins = new LoginLimiter({ stash, limits: { ip: 50 } })
const profiles = new Keyv({ store: new KeyvPgStore(stash), namespace: 'profiles', throwOnErrors: true })

// In the place of your table of users. There, keep a slow hash (argon2, scrypt) and no password.
const passwords = new Map(Object.entries({ ada: 'engine', grace: 'compiler' }))
let lookups = 0
const profileOf = async (name) => {
  const kept = await profiles.get(name)
  if (kept !== undefined) return kept
  const profile = { name, lookup: ++lookups }
  await profiles.set(name, profile, 60_000)
  return profile
}

const app = fastify()
const store = fastifyRateLimitStore({ stash, prefix: 'all-routes' })
await app.register(fastifyRateLimit, { store, max: 20, timeWindow: 60_000 })
await app.register(fastifyCookie)
await app.register(fastifySession, {
  store: sessions,
  secret: process.env.SESSION_SECRET ?? 'for this example only, 32 or more',
  saveUninitialized: false,
  // The default writes the session at every answer, which brings back one that was destroyed meanwhile.
  rolling: false,
  // For http, as here. The default is true: behind https, leave it out.
  cookie: { secure: false, sameSite: 'lax' },
})

const credentials = {
  type: 'object',
  required: ['username', 'password'],
  properties: { username: { type: 'string', minLength: 1 }, password: { type: 'string' } },
}
app.post('/login', { schema: { body: credentials } }, async (request, reply) => {
  const { username, password } = request.body
  const attempt = await logins.begin({ username, ip: request.ip })
  reply.headers(rateLimitHeaders(attempt))
  if (!attempt.isAllowed) return reply.code(429).send('too many attempts')
  if (passwords.get(username) !== password) return reply.code(401).send('wrong')
  await attempt.succeed()
  // A new id: one that an attacker has planted before the login must not become a logged-in one.
  await request.session.regenerate()
  request.session.user = username
  return `welcome, ${username}`
})
app.get('/me', async (request, reply) => {
  const { user } = request.session
  return user === undefined ? reply.code(401).send('nobody') : profileOf(user)
})
app.post('/logout', async (request) => {
  await request.session.destroy()
  return 'bye'
})

const url = await app.listen({ port: 0, host: '127.0.0.1' })

/** Keeps the cookie, as a browser does. */
function browser() {
  let cookie = ''
  return async (method, path, body) => {
    const headers = { cookie, ...(body && { 'content-type': 'application/json' }) }
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) })
    cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
    return `${answer.status} ${await answer.text()}`
  }
}

/** How many answers begin with a status. */
const count = (answers, status) => answers.filter((answer) => answer.startsWith(status)).length

const [stranger, laptop] = [browser(), browser()]
const words = Array.from({ length: 10 }, (_, at) => `guess ${at}`)
const guesses = await Promise.all(words.map((password) => stranger('POST', '/login', { username: 'ada', password })))
console.log(`10 guesses at once: ${count(guesses, 401)} wrong, ${count(guesses, 429)} too many`)
console.log('right, but too late:', await stranger('POST', '/login', { username: 'ada', password: 'engine' }))
console.log('grace:', await laptop('POST', '/login', { username: 'grace', password: 'compiler' }))
console.log('her profile:', await laptop('GET', '/me'))
console.log('from the cache:', await laptop('GET', '/me'))
console.log('log out:', await laptop('POST', '/logout'))
console.log('and now:', await laptop('GET', '/me'))
const rush = await Promise.all(words.map(() => stranger('GET', '/me')))
console.log(`10 more at once: ${count(rush, 429)} over the limit of all routes`)

await app.close()
await sessions.clear()
for (const username of passwords.keys()) await logins.reset({ username, ip: '127.0.0.1' })
// @fastify/rate-limit has no reset: a limiter of the same name and window has.
await new RateLimiter({ stash, name: 'all-routes', limit: 20, windowMs: 60_000 }).clear()
await profiles.clear()
await stash.close()
await pglite?.close()
