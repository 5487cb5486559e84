// Two processes on one database: one answers from its memory, the other changes what it holds. With DATABASE_URL it works on your PostgreSQL, and the other one is a process
// of its own; without, on PGlite, and it is a second stash in this process: they share nothing but the database.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { PgStash } from 'pgstash'

if (process.argv[2] === 'other') await beTheOther()
else await beTheOne()

async function beTheOne() {
  const pglite = process.env.DATABASE_URL ? undefined : new PGlite()
  const stash = new PgStash(pglite ? { pglite } : process.env.DATABASE_URL)
  const products = stash.namespace('near example', { near: { values: 'frozen' } })
  const other = pglite ? otherStash(new PgStash({ pglite })) : otherProcess()

  await products.set('tea', { price: 10 })
  // The first time anybody holds the namespace near, it waits for transactions that ran before. Until then reads go to the database.
  while (stash.near.stats().hits === 0) await products.get('tea')
  const before = await products.get('tea')
  console.log('from memory', before)
  console.log('one object for all who read', before === (await products.get('tea')))

  // Nobody tells this process but the database.
  const { version } = await other.set('tea', { price: 12 })
  console.log('with the version it was written as', await products.get('tea', { minVersion: version }))

  await other.set('tea', { price: 14 })
  const changedAt = performance.now()
  while ((await products.get('tea')).price !== 14) await new Promise((resolve) => setTimeout(resolve, 1))
  console.log('seen within the bound of a second', performance.now() - changedAt < 1_000)

  await other.clear()
  await stash.near.sync()
  console.log('after a clear elsewhere', await products.get('tea'))

  await other.close()
  await stash.close()
  await pglite?.close()
}

/** It knows nothing of near, and tells nevertheless: that is written in the database. */
function otherStash(stash) {
  const products = stash.namespace('near example')
  return {
    set: (key, value) => products.set(key, value),
    clear: () => products.clear(),
    close: () => stash.close(),
  }
}

/** The same in a process of its own, asked by messages. */
function otherProcess() {
  const child = fork(fileURLToPath(import.meta.url), ['other'])
  const ask = (verb, ...args) =>
    new Promise((resolve) => {
      child.once('message', resolve)
      child.send({ verb, args })
    })
  return {
    set: (key, value) => ask('set', key, value),
    clear: () => ask('clear'),
    close: () => ask('close').then(() => child.disconnect()),
  }
}

async function beTheOther() {
  const other = otherStash(new PgStash(process.env.DATABASE_URL))
  process.on('message', async ({ verb, args }) => process.send((await other[verb](...args)) ?? 'done'))
}
