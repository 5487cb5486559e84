import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import pg from 'pg'
import { afterEach, expect, inject, it } from 'vitest'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { freshSchema, madeSchema } from '../support/bodies'
import { Load, type Report } from '../support/load'
import { FaultyProxy } from '../support/servers/faulty-proxy'
import { sleep } from '../support/sleep'

const timeoutMs = 500

/** How late the end of a call may be. */
const latenessMs = 100

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const expectInTime = ({ slowestMs, stalledMs }: Report) =>
  expect(slowestMs - timeoutMs - stalledMs).toBeLessThan(latenessMs)

/** A server that accepts connections, reads, and says nothing; answers its address. */
async function silentServer(): Promise<string> {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => sockets.add(socket.resume().on('error', () => {}))).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  return `postgres://a@127.0.0.1:${(silent.address() as { port: number }).port}/b`
}

it('a server that reads and never answers: every verb ends in time', async () => {
  const stash = new PgStash({ connectionString: await silentServer(), timeoutMs, breaker: false })
  closing.push(() => stash.close())
  const ended: { name: string; code: string; lateMs: number }[] = []
  for (let round = 0; round < 4; round += 1) {
    const calls = verbsOf(stash).map(async ([name, run]) => {
      const started = performance.now()
      const error = await run().then(
        () => ({ code: 'answered' }),
        (reason) => reason,
      )
      ended.push({ name, code: error.code, lateMs: performance.now() - started - timeoutMs })
    })
    await Promise.all(calls)
    // The next round finds other connections under way.
    await sleep(100)
  }
  expect(ended.filter(({ lateMs }) => lateMs >= latenessMs)).toEqual([])
  expect(ended.filter(({ code }) => !/^ERR_PGSTASH_(TIMEOUT|CONNECTION)$/.test(code))).toEqual([])
})

it('a hook of the pool that never answers: the call ends in time, and so does close()', async () => {
  const hook = { onConnect: () => new Promise<void>(() => {}) } as PgStashOptions
  const stash = new PgStash({ ...hook, connectionString: inject('postgresUrl'), schema: freshSchema(), timeoutMs })
  await expect(stash.namespace('a').get('k')).rejects.toMatchObject({ outcome: 'not-sent' })
  const started = performance.now()
  await stash.close()
  expect(performance.now() - started).toBeLessThan(timeoutMs + 1_000)
})

it('a connection that is not made in time: nothing was sent, and the error says so', async () => {
  const pool = new pg.Pool({ connectionString: await silentServer(), connectionTimeoutMillis: 200 })
  closing.push(() => pool.end())
  const stash = new PgStash({ pool })
  await expect(stash.namespace('a').set('k', 1)).rejects.toMatchObject({
    code: 'ERR_PGSTASH_CONNECTION',
    outcome: 'not-sent',
  })
})

it('a server that answers the start and then no query: calls end in time, and are served once it answers', async () => {
  const proxy = await FaultyProxy.before(inject('postgresUrl'))
  closing.push(() => proxy.close())
  const stash = new PgStash({ connectionString: proxy.url, schema: await madeSchema(inject('postgresUrl')), timeoutMs })
  closing.push(() => stash.close())
  const load = await Load.on(stash)
  for (let round = 0; round < 2; round += 1) {
    await load.recovers()
    proxy.freeze()
    await sleep(2_000)
    proxy.thaw()
  }
  await load.recovers()
  const report = await load.stop()
  expect(report).toMatchObject({ hanging: [], wrong: [] })
  expectInTime(report)
  // What timed out may arrive until then.
  await sleep(1_000)
  expect(await load.audit()).toEqual([])
})

it('a pool that is closed meanwhile closes within the time limit', async () => {
  const proxy = await FaultyProxy.before(inject('postgresUrl'))
  closing.push(() => proxy.close())
  const stash = new PgStash({ connectionString: proxy.url, schema: await madeSchema(inject('postgresUrl')), timeoutMs })
  await stash.namespace('a').set('k', 1)
  proxy.freeze()
  const call = stash.namespace('a').get('k')
  const started = performance.now()
  const closed = stash.close().then(() => performance.now() - started)
  await expect(call).rejects.toMatchObject({ code: 'ERR_PGSTASH_TIMEOUT', outcome: 'unknown' })
  const tookMs = await Promise.race([closed, sleep(5_000)])
  expect(tookMs).toBeLessThan(2 * timeoutMs + 500)
})

function verbsOf(stash: PgStash): [name: string, run: () => Promise<unknown>][] {
  const cache = stash.namespace('a')
  const sessions = new Sessions({ stash, userId: () => 'u' })
  const limiter = new RateLimiter({ stash, limit: 5, windowMs: 60_000 })
  return [
    ['get', () => cache.get('k')],
    ['getMany', () => cache.getMany(['k', 'l'])],
    ['set', () => cache.set('k', 1)],
    ['increment', () => cache.increment('k')],
    ['compareAndSet', () => cache.compareAndSet('k', 1, 1)],
    ['take', () => cache.take('k')],
    ['deleteByPrefix', () => cache.deleteByPrefix('x')],
    ['clear', () => stash.namespace('b').clear()],
    ['keys', () => cache.keys().next()],
    ['session get', () => sessions.get('s')],
    ['session set', () => sessions.set('s', {})],
    ['session all', () => sessions.all()],
    ['session clear', () => sessions.clear()],
    ['listByUser', () => sessions.listByUser('u')],
    ['consume', () => limiter.consume('c')],
    ['peek', () => limiter.peek('c')],
    ['reset', () => limiter.reset('c')],
    ['limiter clear', () => limiter.clear()],
    ['ready', () => stash.ready()],
    ['tenant stats', () => stash.tenant('t').stats()],
    ['tenant clear', () => stash.tenant('t').clear()],
    ['stats', () => stash.stats()],
    ['sweep', () => stash.sweep()],
    ['migrate', () => stash.migrate()],
  ]
}
