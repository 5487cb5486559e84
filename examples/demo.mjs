// `npm run demo`: the main job, told in a page. It runs on PGlite, PostgreSQL in this process: nothing to install.
// With DATABASE_URL set it tells the same story on your PostgreSQL, in a schema of its own, which it drops at the end.
import { once } from 'node:events'
import { promisify } from 'node:util'
import { PGlite } from '@electric-sql/pglite'
import { caching } from 'cache-manager5'
import { createCache } from 'cache-manager7'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import Keyv from 'keyv'
import Keyv6 from 'keyv6'
import pg from 'pg'
import { LoginLimiter, PgStash } from 'pgstash'
import { pgStore } from 'pgstash/cache-manager'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { PgSessionStore } from 'pgstash/express-session'
import { KeyvPgStore } from 'pgstash/keyv'

const schema = 'pgstash_demo'
const url = process.env.DATABASE_URL
const pglite = url ? undefined : new PGlite()
const pool = url ? new pg.Pool({ connectionString: url }) : undefined
const run = (sql) => (pool ? pool.query(sql) : pglite.exec(sql))

/** Runs one step of the story and tells its outcome and how long it took. */
async function tell(what, step) {
  const started = performance.now()
  const outcome = await step()
  const took = `${(performance.now() - started).toFixed(1)} ms`
  console.log(`  ${what.padEnd(46)} ${String(outcome).padEnd(24)} ${took.padStart(10)}`)
}

function chapter(title) {
  console.log(`\n${title}`)
}

console.log(`pgstash on ${url ? 'your PostgreSQL' : 'PGlite: PostgreSQL in this process, nothing installed'}`)
await run(`drop schema if exists ${schema} cascade`)
const stash = new PgStash({ ...(pool ? { pool } : { pglite }), schema })

chapter('Start')
await tell('connect, and make the schema', async () => {
  await stash.ready()
  return 'ready'
})

chapter('Keyv 5 and Keyv 6: one class, the same rows')
const five = new Keyv({ store: new KeyvPgStore(stash), namespace: 'users' })
const six = new Keyv6({ store: new KeyvPgStore(stash), namespace: 'users' })
await tell('Keyv 5 sets', () => five.set('ada', { born: 1815 }))
await tell('Keyv 6 gets it', async () => JSON.stringify(await six.get('ada')))
await tell('Keyv 6 sets, for 50 ms', () => six.set('brief', 'gone soon', 50))
await tell('Keyv 5 gets it at once', () => five.get('brief'))
await new Promise((resolve) => setTimeout(resolve, 60))
await tell('Keyv 5 gets it 60 ms later', () => five.get('brief'))

chapter('cache-manager 5 and 7')
const cache5 = await caching(pgStore, { stash, ttl: 60_000 })
const cache7 = createCache({ stores: [new Keyv(new KeyvPgStore(stash, { namespace: 'pages' }))] })
const slowly = () => new Promise((resolve) => setTimeout(() => resolve('rendered'), 100))
await tell('5: wrap, computed', () => cache5.wrap('home', slowly))
await tell('5: wrap, from PostgreSQL', () => cache5.wrap('home', slowly))
await tell('7: wrap, computed', () => cache7.wrap('home', slowly))
await tell('7: wrap, from PostgreSQL', () => cache7.wrap('home', slowly))

chapter('Many at once: concurrent calls travel together')
const items = stash.namespace('items')
const entries = Array.from({ length: 10_000 }, (_, at) => ({ key: `item:${at}`, value: { at } }))
await tell('setMany of 10,000', async () => `${(await items.setMany(entries)).length} set`)
await tell('getMany of 10,000', async () => `${(await items.getMany(entries.map(({ key }) => key))).length} got`)
await tell('10,000 single gets, un-awaited', async () => {
  const values = await Promise.all(entries.map(({ key }) => items.get(key)))
  return `${values.filter(Boolean).length} got`
})
await tell('1,000 increments of one counter', async () => {
  await Promise.all(Array.from({ length: 1_000 }, () => items.increment('counter')))
  return `counter is ${await items.get('counter')}`
})

chapter('Tenants do not see each other')
const [acme, globex] = ['acme', 'globex'].map((tenant) => stash.tenant(tenant).namespace('settings'))
await tell('acme sets its colour', async () => {
  await acme.set('colour', 'red')
  return acme.get('colour')
})
await tell('globex looks', () => globex.get('colour'))
await tell('all of acme is cleared, in one small write', async () => {
  await stash.tenant('acme').clear()
  return acme.get('colour')
})

chapter('Clear does not count')
await tell('clear a namespace of 10,001 entries', async () => {
  await items.clear()
  return items.get('item:1')
})
await tell('the sweep removes them later', async () => `${(await stash.sweep()).cleared} rows removed`)

const sessions = new PgSessionStore({ stash, userId: (session) => session.user })
const searches = new PgRateLimitStore({ stash, prefix: 'searches' })
// Ada and the guesser have one address here, and by that alone many may mistype.
const logins = new LoginLimiter({ stash, limits: { ip: 50 } })
const app = express()
app.get(
  '/search',
  rateLimit({ store: searches, windowMs: 60_000, limit: 5, standardHeaders: 'draft-8', legacyHeaders: false }),
  (_req, res) => res.send('found'),
)
app.use(session({ store: sessions, secret: 'of the demo', resave: false, saveUninitialized: false }))
app.post('/login', express.json(), async (req, res) => {
  const { username, password } = req.body
  const attempt = await logins.begin({ username, ip: req.ip })
  if (!attempt.isAllowed) return res.status(429).send(`locked for ${Math.ceil(attempt.retryAfterMs / 60_000)} min`)
  if (password !== 'engine') return res.status(401).send('wrong')
  await attempt.succeed()
  await promisify(req.session.regenerate).call(req.session)
  req.session.user = username
  res.send(`welcome, ${username}`)
})
app.get('/me', (req, res) => res.send(req.session.user ?? 'nobody'))
app.post('/logout-everywhere-else', async (req, res) => {
  res.send(`${await sessions.destroyByUser(req.session.user, { except: req.sessionID })} logged out`)
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
    return `${answer.status} ${await answer.text()}`
  }
}

const [laptop, phone, guesser] = [browser(), browser(), browser()]
const ada = { username: 'ada', password: 'engine' }
const counts = (answers, name) => {
  const denied = answers.filter((answer) => answer.startsWith('429')).length
  return `${answers.length - denied} ${name}, ${denied} got 429`
}

chapter('Sessions: express-session, over HTTP')
await tell('Ada logs in on her laptop', () => laptop('POST', '/login', ada))
await tell('and on her phone', () => phone('POST', '/login', ada))
await tell('the phone asks who it is', () => phone('GET', '/me'))
await tell('the laptop logs out everywhere else', () => laptop('POST', '/logout-everywhere-else'))
await tell('the phone asks again', () => phone('GET', '/me'))
await tell('the laptop asks', () => laptop('GET', '/me'))

chapter('Rate limits: express-rate-limit, and a brake on guessing')
await tell('8 searches at once, where 5 a minute may', async () =>
  counts(await Promise.all(Array.from({ length: 8 }, () => guesser('GET', '/search'))), 'found'),
)
await tell('20 passwords for bob, guessed at once', async () => {
  const guess = (_, at) => guesser('POST', '/login', { username: 'bob', password: `guess ${at}` })
  return counts(await Promise.all(Array.from({ length: 20 }, guess)), 'wrong')
})
await tell('the 21st is right, but too late', () => guesser('POST', '/login', { ...ada, username: 'bob' }))
await tell('Ada is not locked out', () => phone('POST', '/login', ada))

server.close()
server.closeAllConnections()
await stash.close()
await run(`drop schema ${schema} cascade`)
await pool?.end()
await pglite?.close()
console.log('\nThat is the story. README.md has the one-line swaps.')
