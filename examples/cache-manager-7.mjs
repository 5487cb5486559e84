// cache-manager 6 and 7 take a Keyv, and want Keyv 5. (`cache-manager7` is how this repository calls version 7.)
import { PGlite } from '@electric-sql/pglite'
import { createCache } from 'cache-manager7'
import Keyv from 'keyv'
import { PgStash } from 'pgstash'
import { KeyvPgStore } from 'pgstash/keyv'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const cache = createCache({ stores: [new Keyv(new KeyvPgStore(stash, { namespace: 'pages' }))], ttl: 60_000 })

let renderings = 0
const render = async () => `page ${++renderings}`
console.log(await cache.wrap('home', render))
console.log(await cache.wrap('home', render))
await cache.mset([
  { key: 'a', value: 1 },
  { key: 'b', value: 2 },
])
console.log(await cache.mget(['a', 'b', 'c']))
await cache.clear()
await stash.close()
await pglite?.close()
