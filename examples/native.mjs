// The native verbs. With DATABASE_URL it works on your PostgreSQL, without on PGlite, in this process.
import { PGlite } from '@electric-sql/pglite'
import { PgStash } from 'pgstash'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const views = stash.tenant('acme').namespace('views', { ttl: 60_000 })

await views.set('home', { count: 1 })
console.log('get', await views.get('home'))
console.log('many', await views.getMany(['home', 'nowhere']))

// Set if absent: one of any number of processes wins.
console.log('add', await views.add('lock', 'mine', { ttl: 5_000 }), await views.add('lock', 'yours'))

// Compare and set: no update is lost.
const entry = await views.getEntry('home')
console.log('compare and set', (await views.compareAndSet('home', entry.version, { count: 2 })).ok)
console.log('the same again', (await views.compareAndSet('home', entry.version, { count: 3 })).ok)

console.log('increment', await views.increment('hits'), await views.increment('hits', 41))

await views.setMany([
  { key: 'user:1', value: 'Ada' },
  { key: 'user:2', value: 'Grace' },
])
for await (const [key, value] of views.entries({ prefix: 'user:' })) console.log('entry', key, value)
console.log('delete by prefix', await views.deleteByPrefix('user:'))

await views.clear()
console.log('after clear', await views.get('home'))
await stash.close()
await pglite?.close()
