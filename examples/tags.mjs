// Tags: what belongs together goes together. With DATABASE_URL it works on your PostgreSQL, without on PGlite, in this process.
import { PGlite } from '@electric-sql/pglite'
import { PgStash } from 'pgstash'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const acme = stash.tenant('acme')
const pages = acme.namespace('pages', { ttl: 60_000 })

await pages.set('/cart', 'the cart of Ada', { tags: ['user:ada', 'product:7'] })
await pages.setMany([
  { key: '/shelf', value: 'the shelf', tags: ['product:7', 'product:8'] },
  { key: '/imprint', value: 'the imprint' },
])
console.log('stored', await pages.getMany(['/cart', '/shelf', '/imprint']))

// One small write, however many entries there are.
await pages.deleteByTag('product:7')
console.log('product 7 has changed', await pages.getMany(['/cart', '/shelf', '/imprint']))

// Across the namespaces of a tenant.
const users = acme.namespace('users')
await users.set('ada', { name: 'Ada' }, { tags: ['user:ada'], tagScope: 'tenant' })
await pages.set('/cart', 'the cart of Ada', { tags: ['user:ada'], tagScope: 'tenant' })
await acme.deleteByTag('user:ada')
console.log('ada has changed', await users.get('ada'), await pages.get('/cart'))

await acme.clear()
await stash.close()
await pglite?.close()
