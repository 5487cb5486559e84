// One at a time over all processes, with a token that guards what is written. With DATABASE_URL it works on your PostgreSQL, without on PGlite, in this process.
import { setTimeout as sleep } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { PgStash } from 'pgstash'

const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
const open = () => new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
// As in two processes: they share nothing but the database.
const [here, there] = [open(), open()]

// What keeps the data remembers the greatest token that it has seen.
const invoice = { total: 0, token: 0 }
function write(total, token) {
  if (token < invoice.token) return 'refused'
  Object.assign(invoice, { total, token })
  return 'written'
}

const lock = await here.lock('invoice', { leaseMs: 500 })
console.log('held here', lock.isHeld)
console.log('try there', await there.tryLock('invoice'))
await here.lock('invoice', { waitMs: 50 }).catch(({ code }) => console.log('wait a moment', code))
console.log('write', write(10, lock.token))

// This process stands still for longer than its lease. Somebody else takes over.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
console.log('aborted', lock.signal.aborted, lock.signal.reason.code)
const next = await there.lock('invoice')
console.log('a greater token', next.token > lock.token)
console.log('write there', write(20, next.token))
// A write that was on its way, and comes too late.
console.log('write here', write(11, lock.token))
console.log('released', await lock.release(), await next.release())

let inside = 0
const work = async () => {
  inside += 1
  await sleep(5)
  return inside--
}
const most = await Promise.all([here, there, here, there].map((stash) => stash.withLock('work', work)))
console.log('at once', Math.max(...most))

await Promise.all([here.close(), there.close()])
await pglite?.close()
