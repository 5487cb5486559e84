// An Express app on one stash: login, sessions, a rate limit on all routes, a brake on password guessing, and a cache.
import { once } from 'node:events'
import { promisify } from 'node:util'
import { PGlite } from '@electric-sql/pglite'
import { caching } from 'cache-manager5'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import { LoginLimiter, PgStash, rateLimitHeaders } from 'pgstash'
import { pgStore } from 'pgstash/cache-manager'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { PgSessionStore } from 'pgstash/express-session'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const sessions = new PgSessionStore({ stash, userId: (session) => session.user })
const hits = new PgRateLimitStore({ stash, prefix: 'all-routes' })
// Whoever shares an office shares its address: by that alone, many may mistype before anybody is denied.
// Behind a proxy of yours, set 'trust proxy' too, or all the world has the proxy's address.
const logins = new LoginLimiter({ stash, limits: { ip: 50 } })
const profiles = await caching(pgStore, { stash, namespace: 'profiles', ttl: 60_000 })

// In the place of your table of users. There, keep a slow hash (argon2, scrypt) and no password.
const passwords = new Map(Object.entries({ ada: 'engine', grace: 'compiler' }))
let lookups = 0
const loadProfile = async (name) => ({ name, lookup: ++lookups })

const app = express()
// First, so that whoever has had enough costs neither a session nor a parsed body.
app.use(rateLimit({ store: hits, windowMs: 60_000, limit: 20, standardHeaders: 'draft-8', legacyHeaders: false }))
app.use(express.json())
// Behind https also `cookie: { secure: true }`.
const secret = process.env.SESSION_SECRET ?? 'for this example only'
app.use(session({ store: sessions, secret, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' } }))

app.post('/login', async (req, res) => {
  const { username, password } = req.body ?? {}
  if (![username, password].every((text) => typeof text === 'string' && text !== '')) return res.sendStatus(400)
  const attempt = await logins.begin({ username, ip: req.ip })
  // In the place of the headers of all routes: this limit decided.
  res.set(rateLimitHeaders(attempt))
  if (!attempt.isAllowed) return res.status(429).send('too many attempts')
  if (passwords.get(username) !== password) return res.status(401).send('wrong')
  await attempt.succeed()
  // A new id: one that an attacker has planted before the login must not become a logged-in one.
  await promisify(req.session.regenerate).call(req.session)
  req.session.user = username
  res.send(`welcome, ${username}`)
})
app.get('/me', async (req, res) => {
  const { user } = req.session
  if (user === undefined) return res.status(401).send('nobody')
  res.json(await profiles.wrap(user, () => loadProfile(user)))
})
app.post('/logout', async (req, res) => {
  await promisify(req.session.destroy).call(req.session)
  res.send('bye')
})
app.post('/logout-everywhere-else', async (req, res) => {
  const { user } = req.session
  if (user === undefined) return res.status(401).send('nobody')
  res.send(`${await sessions.destroyByUser(user, { except: req.sessionID })} logged out`)
})

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')

/** Keeps the cookie, as a browser does. */
function browser() {
  let cookie = ''
  return async (method, path, body) => {
    const url = `http://127.0.0.1:${server.address().port}${path}`
    const headers = { cookie, 'content-type': 'application/json' }
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) })
    cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
}

const tell = (what, { status, text }) => console.log(`${what}: ${status} ${text}`)

const [stranger, laptop, phone] = [browser(), browser(), browser()]
const guess = (password) => stranger('POST', '/login', { username: 'ada', password })
for (const word of ['pascal', 'loom', 'poet', 'byron', '1815']) tell(word, await guess(word))
const denied = await guess('engine')
tell('engine, right but too late', denied)
for (const name of ['retry-after', 'ratelimit-policy']) console.log(`  ${name}: ${denied.headers.get(name)}`)

const grace = { username: 'grace', password: 'compiler' }
tell('grace on her laptop', await laptop('POST', '/login', grace))
tell('grace on her phone', await phone('POST', '/login', grace))
tell('her laptop', await laptop('GET', '/me'))
tell('her phone, from the cache', await phone('GET', '/me'))
tell('log out everywhere else', await laptop('POST', '/logout-everywhere-else'))
tell('her phone', await phone('GET', '/me'))
tell('her laptop', await laptop('GET', '/me'))
tell('log out', await laptop('POST', '/logout'))
tell('her laptop', await laptop('GET', '/me'))

const rush = await Promise.all(Array.from({ length: 10 }, () => stranger('GET', '/me')))
console.log(`10 more at once: ${rush.filter(({ status }) => status === 429).length} over the limit of all routes`)

await sessions.clear()
await hits.resetAll()
for (const username of passwords.keys()) await logins.reset({ username, ip: '127.0.0.1' })
await profiles.reset()
server.close()
server.closeAllConnections()
await stash.close()
await pglite?.close()
