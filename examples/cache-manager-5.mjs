// cache-manager 5: pgStore in the place of redisStore. (`cache-manager5` is how this repository calls version 5.)
import { PGlite } from '@electric-sql/pglite'
import { caching } from 'cache-manager5'
import { PgStash } from 'pgstash'
import { pgStore } from 'pgstash/cache-manager'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const cache = await caching(pgStore, { stash, namespace: 'pages', ttl: 60_000 })

let renderings = 0
const render = async () => `page ${++renderings}`
console.log(await cache.wrap('home', render))
console.log(await cache.wrap('home', render))

await cache.store.mset([
  ['user:1', 'Ada'],
  ['user:2', 'Grace'],
])
console.log(await cache.store.mget('user:1', 'user:2', 'user:3'))
console.log(await cache.store.keys('user:*'))

await cache.reset()
await stash.close()
await pglite?.close()
