// One Keyv for every tenant of an app: the tenant is asked at every call.
import { AsyncLocalStorage } from 'node:async_hooks'
import { PGlite } from '@electric-sql/pglite'
import Keyv from 'keyv'
import { PgStash } from 'pgstash'
import { KeyvPgStore } from 'pgstash/keyv'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const request = new AsyncLocalStorage()
const cache = new Keyv({
  store: new KeyvPgStore(stash, { tenant: () => request.getStore()?.tenantId }),
  namespace: 'settings',
  throwOnErrors: true,
})

await request.run({ tenantId: 'acme' }, () => cache.set('colour', 'red'))
await request.run({ tenantId: 'globex' }, () => cache.set('colour', 'blue'))

console.log('acme', await request.run({ tenantId: 'acme' }, () => cache.get('colour')))
console.log('globex', await request.run({ tenantId: 'globex' }, () => cache.get('colour')))

// Nobody's call: it fails, and never falls back to another tenant.
await cache.get('colour').catch((error) => console.log('no tenant:', error.code))

await stash.tenant('acme').clear()
console.log('acme, cleared', await request.run({ tenantId: 'acme' }, () => cache.get('colour')))
console.log('globex, untouched', await request.run({ tenantId: 'globex' }, () => cache.get('colour')))
await stash.tenant('globex').clear()
await stash.close()
await pglite?.close()
