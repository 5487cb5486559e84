import { once } from 'node:events'
import { createCache } from 'cache-manager'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import Keyv from 'keyv'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { PgSessionStore } from 'pgstash/express-session'
import { KeyvPgStore } from 'pgstash/keyv'
import { prometheusText } from 'pgstash/prometheus'
import { opened } from './opened.mjs'

const { stash, close } = opened()
const answers = {}

const users = new Keyv({ store: new KeyvPgStore(stash), namespace: 'users', throwOnErrors: true })
await users.set('1', { name: 'Ada' }, 60_000)
answers.keyv = [await users.get('1'), await users.get('2'), await users.delete('1'), await users.has('1')]
const pages = createCache({ stores: [new Keyv({ store: new KeyvPgStore(stash), namespace: 'pages' })], ttl: 60_000 })
answers.cacheManager = [
  await pages.wrap('home', async () => 'made'),
  await pages.wrap('home', async () => 'made again'),
]

const app = express()
app.use(rateLimit({ store: new PgRateLimitStore({ stash }), windowMs: 3_600_000, limit: 3, legacyHeaders: false }))
app.use(session({ store: new PgSessionStore({ stash }), secret: 'x', resave: false, saveUninitialized: false }))
app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  res.send(`${req.session.views}`)
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')

let cookie = ''
answers.express = []
for (let at = 0; at < 4; at += 1) {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: { cookie } })
  cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
  answers.express.push(answer.status === 200 ? await answer.text() : answer.status)
}
answers.prometheus = prometheusText(stash).includes('# TYPE pgstash_calls_total counter')

server.closeAllConnections()
server.close()
await stash.close()
await close()
console.log(JSON.stringify(answers))
