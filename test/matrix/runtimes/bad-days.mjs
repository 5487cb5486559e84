import { once } from 'node:events'
import { createServer } from 'node:net'
import pg from 'pg'
import { PgStash, PgStashError } from 'pgstash'

const { URL: connectionString, SCHEMA: schema } = process.env
const answers = {}

/** What an application can tell of a failure. */
const failureOf = async (call) => {
  try {
    return { answer: await call() }
  } catch (error) {
    const isOurs = error instanceof PgStashError
    return { isOurs, code: isOurs ? error.code : error.name, outcome: error.outcome }
  }
}

const away = new PgStash({ connectionString: 'postgres://nobody@127.0.0.1:1/x' })
answers.refused = await failureOf(() => away.namespace('n').set('k', 1))
await away.close()

const sockets = []
const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
await once(silent, 'listening')
const address = `postgres://nobody@127.0.0.1:${silent.address().port}/x`
const waiting = new PgStash({ connectionString: address, timeoutMs: 200 })
answers.silent = await failureOf(() => waiting.namespace('n').get('k'))
await waiting.close()
for (const socket of sockets) socket.destroy()
silent.close()

const stash = new PgStash({ connectionString, schema, application_name: schema, max: 1 })
const cache = stash.namespace('n')
await cache.set('k', 1)
answers.aborted = await failureOf(() => cache.set('k', 2, { signal: AbortSignal.abort() }))
answers.invalid = await failureOf(() => cache.set('k', Number.NaN))
const admin = new pg.Client(connectionString)
await admin.connect()
await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [schema])
await admin.end()
answers.afterLostConnection = await failureOf(() => cache.get('k'))
await stash.close()
answers.closed = await failureOf(() => cache.get('k'))

console.log(JSON.stringify(answers))
