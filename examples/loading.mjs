// Compute once: a value that is not there is worked out, once for all who ask. With DATABASE_URL it works on your PostgreSQL, without on PGlite, in this process.
import { PGlite } from '@electric-sql/pglite'
import { PgStash } from 'pgstash'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
const acme = stash.tenant('acme')
await acme.clear()
const users = acme.namespace('users', { ttl: 60_000, grace: 60_000 })

let loads = 0
const findUser = async (id) => {
  loads += 1
  return { id, load: loads }
}

const all = await Promise.all(Array.from({ length: 100 }, () => users.getOrSet('42', () => findUser(42))))
console.log('a hundred callers', all.length, 'loads', loads)

// Stale is answered at once, and loaded anew beside it.
await users.expire('42')
console.log('expired', await users.get('42'))
console.log('stale', await users.getOrSet('42', () => findUser(42)))
console.log('or waited for', await users.getOrSet('42', () => findUser(42), { softTimeoutMs: 5_000 }))

// What is stale is better than an error.
await users.expire('42')
const failing = async () => {
  throw new Error('the source is away')
}
console.log('failed', await users.getOrSet('42', failing, { softTimeoutMs: 5_000 }))

// A change during the load is not overwritten by what was read before it.
const slow = users.getOrSet('7', async () => {
  await users.set('7', { id: 7, name: 'new' })
  return { id: 7, name: 'old' }
})
console.log('loaded', await slow, 'kept', await users.get('7'))

// One claim, one load, one store.
const many = await users.getOrSetMany(['7', '8', '9'], async (absent) => {
  console.log('absent', absent)
  return new Map(absent.map((id) => [id, { id: Number(id) }]))
})
console.log('many', many.length)

const price = users.wrap(async (id) => ({ id, price: 10 }), { key: (id) => `price ${id}`, ttl: 5_000 })
console.log('wrapped', await price(1), await users.get('price 1'))

await acme.clear()
await stash.close()
await pglite?.close()
