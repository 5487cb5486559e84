import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { LockLostError } from '../../../src/errors'
import { PgStash } from '../../../src/stash/pg-stash'
import { describePostgres } from '../../support/bodies'
import { FaultyProxy } from '../../support/servers/faulty-proxy'
import { durableSettings, TestServer } from '../../support/servers/postgres'
import { sleep } from '../../support/sleep'

describePostgres('a holder whose process stood still', (body) => {
  it('knows that the lock is lost before it can go on, also by a signal that it has kept', async () => {
    const stash = body.open()
    const { signal } = await stash.lock('a', { leaseMs: 150 })
    const other = await stash.lock('b', { leaseMs: 150 })
    const until = performance.now() + 200
    while (performance.now() < until);
    // No timer has come yet.
    expect(signal.aborted).toBe(true)
    expect(() => signal.throwIfAborted()).toThrow(/lost/)
    expect(other.isHeld).toBe(false)
    expect((signal.reason as LockLostError).reason).toBe('expired')
    const third = await stash.lock('a', { leaseMs: 150 })
    const heard = new Promise((resolve) => AbortSignal.any([third.signal]).addEventListener('abort', resolve))
    const again = performance.now() + 200
    while (performance.now() < again);
    await heard
  })

  it('is not given a lock that is over already, for the first connection took as long', async () => {
    // It makes the schema too.
    const lock = await body.open().lock('cold', { leaseMs: 400 })
    expect(lock.isHeld).toBe(true)
  })

  it('takes no lock for work that is none', async () => {
    const stash = body.open()
    await expect(stash.withLock('w', undefined as never)).rejects.toThrow('work must be a function')
    expect(await stash.tryLock('w')).toBeDefined()
  })

  it('waits on where what it was answered was over by then, and somebody else has the lock', async () => {
    const proxy = await FaultyProxy.before(inject('postgresUrl'))
    const other = body.open()
    await other.ready()
    const slow = body.open({ connectionString: proxy.url, schema: other.schema, sweeper: false })
    await (await slow.lock('x')).release()
    // Nothing else is under way there: what was asked before would hold up what is asked now.
    await sleep(100)
    proxy.holdAnswers()
    const waiting = slow.lock('x', { leaseMs: 1_000, waitMs: null })
    // By looking: who took it to find out would have the question refused, and that answer is held too.
    const isTaken = async () =>
      (await body.sql(`select holder <> 0 from ${other.schema}.lock where name = 'x'`))[0]?.[0]
    await expect.poll(isTaken, { timeout: 10_000, interval: 20 }).toBe(true)
    const taken = await other.lock('x', { leaseMs: 5_000 })
    proxy.thaw()
    await sleep(300)
    await taken.release()
    expect((await waiting).token).toBeGreaterThan(taken.token)
    await slow.close()
    await proxy.close()
  })

  it('counts from before the request left, not from its answer', async () => {
    const stash = body.open()
    await stash.ready()
    await (await stash.lock('slow')).release()
    // Its answer takes as long as two leases: what it says is over by then.
    await body.script(
      `create function ${stash.schema}.dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(0.4); return new; end'`,
    )
    await body.script(
      `create trigger dawdle before update on ${stash.schema}.lock for each row execute function ${stash.schema}.dawdle()`,
    )
    const lock = await stash.lock('slow', { leaseMs: 200 })
    expect(lock.isHeld).toBe(false)
    expect(lock.signal.aborted).toBe(true)
  })
})

describe('a lock, when the server', () => {
  let server: TestServer
  let stash: PgStash
  let other: PgStash

  beforeAll(async () => {
    server = await (await TestServer.create(durableSettings)).start()
    const open = () => new PgStash({ connectionString: server.url(), timeoutMs: 2_000, breaker: false })
    stash = open()
    await stash.ready()
    other = open()
  }, 60_000)
  afterAll(async () => {
    await Promise.all([stash.close(), other.close()])
    await server.remove()
  })

  it('crashes, stays with its holder, who renews it afterwards; and the tokens go on', {
    timeout: 60_000,
  }, async () => {
    const lock = await stash.lock('a', { leaseMs: 20_000 })
    await server.crash()
    await server.start()
    await expect.poll(() => other.tryLock('a').catch(() => 'away'), { timeout: 10_000 }).toBeUndefined()
    expect(lock.isHeld).toBe(true)
    expect(await lock.release()).toBe(true)
    const next = await other.lock('a')
    expect(next.token).toBeGreaterThan(lock.token)
    await next.release()
  })

  it('crashes where commits do not wait for the log, is nobody else’s either', { timeout: 60_000 }, async () => {
    const url = new URL(server.url())
    url.searchParams.set('options', '-c synchronous_commit=off')
    const hasty = new PgStash({ connectionString: url.href, breaker: false })
    for (let crash = 0; crash < 3; crash += 1) {
      const lock = await hasty.lock('hasty', { leaseMs: 30_000 })
      await server.crash()
      await server.start()
      await expect.poll(() => other.tryLock('hasty').catch(() => 'away'), { timeout: 10_000 }).toBeUndefined()
      await expect.poll(() => lock.release().catch(() => 'away'), { timeout: 1_000 }).toBeDefined()
      await other.lock('hasty', { leaseMs: 100, waitMs: 40_000 }).then((next) => next.release())
    }
    await hasty.close()
  })

  it('freezes, is lost to its holder at the end of the lease', { timeout: 60_000 }, async () => {
    const lock = await stash.lock('b', { leaseMs: 600 })
    const from = performance.now()
    const lost = new Promise<void>((resolve) => lock.signal.addEventListener('abort', () => resolve()))
    server.freeze()
    await lost
    expect(performance.now() - from).toBeLessThan(1_000)
    expect(lock.signal.reason).toMatchObject({ reason: 'expired' })
    server.thaw()
    await sleep(50)
    expect((await other.lock('b')).token).toBeGreaterThan(lock.token)
  })
})
