// Keyv, on a store of PostgreSQL. The same lines work with Keyv 6.
import { PGlite } from '@electric-sql/pglite'
import Keyv from 'keyv'
import { PgStash } from 'pgstash'
import { KeyvPgStore } from 'pgstash/keyv'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)

// A store for each Keyv, all on one stash and its connections.
const users = new Keyv({ store: new KeyvPgStore(stash), namespace: 'users', ttl: 60_000 })
const posts = new Keyv({ store: new KeyvPgStore(stash), namespace: 'posts' })

await users.set('1', { name: 'Ada' })
await posts.set('1', { title: 'On engines' }, 5_000)
console.log('user', await users.get('1'))
console.log('post', await posts.get('1'))

await users.clear()
console.log('users after clear', await users.get('1'))
console.log('posts after clear', await posts.get('1'))
await posts.clear()
await stash.close()
await pglite?.close()
