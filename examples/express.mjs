// An Express app of many tenants: one Keyv, one cache, one middleware.
import { AsyncLocalStorage } from 'node:async_hooks'
import { PGlite } from '@electric-sql/pglite'
import { caching } from 'cache-manager5'
import express from 'express'
import Keyv from 'keyv'
import { PgStash } from 'pgstash'
import { pgStore } from 'pgstash/cache-manager'
import { KeyvPgStore } from 'pgstash/keyv'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)

// Asked at every call. Outside of a request it gives nothing, and the call fails: it never falls back to another tenant.
const request = new AsyncLocalStorage()
const tenant = () => request.getStore()?.tenant
const settings = new Keyv({ store: new KeyvPgStore(stash, { tenant }), namespace: 'settings', throwOnErrors: true })
const pages = await caching(pgStore, { stash, tenant, namespace: 'pages', ttl: 60_000 })

const app = express()
app.use((req, _res, next) => request.run({ tenant: req.get('x-tenant') }, next))
app.put('/colour/:colour', async (req, res) => {
  await settings.set('colour', req.params.colour)
  await pages.del(`${tenant()}:home`)
  res.sendStatus(204)
})
app.get('/home', async (_req, res) => {
  // The tenant in the key of wrap: cache-manager gives callers that wrap one key at one moment the answer of the first,
  // before it asks any store, and knows nothing of tenants.
  res.send(await pages.wrap(`${tenant()}:home`, async () => `a page in ${await settings.get('colour')}`))
})

const server = app.listen(0)
const call = (tenant, path, method = 'GET') =>
  fetch(`http://127.0.0.1:${server.address().port}${path}`, { method, headers: { 'x-tenant': tenant } })

// Two tenants, and 200 requests of theirs all at once.
await call('acme', '/colour/red', 'PUT')
await call('globex', '/colour/blue', 'PUT')
const tenants = Array.from({ length: 200 }, (_, at) => (at % 2 === 0 ? 'acme' : 'globex'))
const answers = await Promise.all(
  tenants.map(async (tenant) => `${tenant}: ${await (await call(tenant, '/home')).text()}`),
)
for (const answer of new Set(answers)) console.log(answers.filter((one) => one === answer).length, answer)

await stash.tenant('acme').clear()
console.log('acme, cleared:', await (await call('acme', '/home')).text())
await stash.tenant('acme').clear()
await stash.tenant('globex').clear()
server.close()
server.closeAllConnections()
await stash.close()
await pglite?.close()
