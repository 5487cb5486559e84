import { beforeAll, expect, it } from 'vitest'
import {
  CallAbortedError,
  InvalidArgumentError,
  LockLostError,
  LockTimeoutError,
  StashClosedError,
} from '../../src/errors'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeEveryBody } from '../support/bodies'
import { sleep } from '../support/sleep'

/** Two stashes are two processes: they share nothing but the schema. */
describeEveryBody('locks', (body) => {
  let stash: PgStash
  let other: PgStash
  let names = 0
  const fresh = () => `lock ${names++}`

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
    other = body.open({ schema: stash.schema })
  })

  /** As if its holder had died. */
  const die = (name: string) =>
    body.sql(
      `update ${stash.schema}.lock set holder = 17, leased_until = ${stash.schema}.now_ms() + 300 where name = '${name}'`,
    )

  it('are held by one at a time, here and elsewhere', async () => {
    const name = fresh()
    const lock = await stash.lock(name)
    expect(lock).toMatchObject({ name, isHeld: true })
    expect(lock.signal.aborted).toBe(false)
    expect(await stash.tryLock(name)).toBeUndefined()
    expect(await other.tryLock(name)).toBeUndefined()
    await expect(other.lock(name, { waitMs: 60 })).rejects.toThrow(LockTimeoutError)
    await expect(other.lock(name, { waitMs: 0 })).rejects.toMatchObject({
      code: 'ERR_PGSTASH_LOCK_TIMEOUT',
      lockName: name,
      waitMs: 0,
    })
    expect(await lock.release()).toBe(true)
    expect(lock.isHeld).toBe(false)
    expect(lock.signal.aborted).toBe(false)
    const next = await other.tryLock(name)
    expect(next?.isHeld).toBe(true)
    await next?.release()
  })

  it('are had by one of those who ask at the same time', async () => {
    for (let round = 0; round < 20; round += 1) {
      const name = round % 2 === 0 ? fresh() : 'again'
      const asked = Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? stash : other).tryLock(name))
      const got = (await Promise.all(asked)).filter((lock) => lock !== undefined)
      expect(got).toHaveLength(1)
      await got[0]?.release()
    }
  })

  it('have a token that grows with each holder, and stays while it is renewed', async () => {
    const name = fresh()
    let last = 0
    for (const holder of [stash, other, other, stash, other]) {
      const lock = await holder.lock(name, { leaseMs: 900 })
      expect(lock.token).toBeGreaterThan(last)
      last = lock.token
      if (holder === stash) {
        // Renewed by then, once.
        await sleep(450)
        const [[stored]] = (await body.sql(
          `select token::float8 from ${stash.schema}.lock where name = '${name}'`,
        )) as [[number]]
        expect([lock.isHeld, stored]).toEqual([true, last])
      }
      await lock.release()
    }
  })

  it('have a token that grows where the clock has been set back, and where the row is gone', async () => {
    const name = fresh()
    await (await stash.lock(name)).release()
    const ahead = 2 ** 52
    await body.sql(`update ${stash.schema}.lock set token = ${ahead} where name = '${name}'`)
    const [first, second] = [await stash.lock(name), stash.lock(name)]
    await first.release()
    await (await second).release()
    expect([first.token, (await second).token]).toEqual([ahead + 1, ahead + 2])
    const swept = fresh()
    const before = await stash.lock(swept)
    await before.release()
    await body.sql(`delete from ${stash.schema}.lock where name = '${swept}'`)
    const after = await stash.lock(swept)
    expect(after.token).toBeGreaterThan(before.token)
    await after.release()
  })

  it('are renewed for as long as they are held', async () => {
    const name = fresh()
    const lock = await stash.lock(name, { leaseMs: 600 })
    await expect(other.lock(name, { waitMs: 1_300 })).rejects.toThrow(LockTimeoutError)
    expect(lock.isHeld).toBe(true)
    expect(await lock.release()).toBe(true)
  })

  it('are had by who waits as soon as they are released, in this process at once', async () => {
    const name = fresh()
    const lock = await stash.lock(name)
    const order: string[] = []
    const waiting = [stash, other, stash, other].map(async (holder, at) => {
      const next = await holder.lock(name, { waitMs: null })
      order.push(`${at} in`)
      await sleep(5)
      order.push(`${at} out`)
      await next.release()
    })
    await sleep(50)
    expect(order).toEqual([])
    await lock.release()
    await Promise.all(waiting)
    expect(order).toHaveLength(8)
    // Nobody comes in before the other is out.
    for (let at = 0; at < 8; at += 2) expect(order[at + 1]).toBe((order[at] as string).replace('in', 'out'))
  })

  it('are had by others too where a process takes one again and again', async () => {
    const name = fresh()
    let isOver = false
    const greedy = (async () => {
      while (!isOver) {
        const lock = await stash.lock(name)
        // So long that a question hits the moment between two holders only by accident.
        await sleep(700)
        await lock.release()
      }
    })()
    await sleep(20)
    for (let turn = 0; turn < 2; turn += 1) await (await other.lock(name, { waitMs: 3_000 })).release()
    isOver = true
    await greedy
  })

  it('are taken from the dead once their lease is over', async () => {
    const name = fresh()
    await (await stash.lock(name)).release()
    await die(name)
    const from = performance.now()
    const lock = await stash.lock(name)
    expect(performance.now() - from).toBeGreaterThan(200)
    await lock.release()
  })

  it('tell by the signal, and by every verb, that they were lost', async () => {
    const name = fresh()
    const lock = await stash.lock(name, { leaseMs: 300 })
    const lost = new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
    await die(name)
    await lost
    expect(lock.isHeld).toBe(false)
    expect(lock.signal.reason).toBeInstanceOf(LockLostError)
    expect(lock.signal.reason).toMatchObject({
      code: 'ERR_PGSTASH_LOCK_LOST',
      lockName: name,
      token: lock.token,
      reason: 'taken',
    })
    expect(await lock.release()).toBe(false)
  })

  it('of another holder are not released, nor brought back by a renewal that comes late', async () => {
    const name = fresh()
    const lost = await stash.lock(name)
    await body.sql(`update ${stash.schema}.lock set leased_until = 0 where name = '${name}'`)
    const lock = await other.lock(name)
    expect(await lost.release()).toBe(false)
    expect(await stash.tryLock(name)).toBeUndefined()
    const [[holder, token]] = (await body.sql(
      `select holder, token::float8 from ${stash.schema}.lock where name = '${name}'`,
    )) as [[number, number]]
    await lock.release()
    const renewed = await body.sql(
      `select ${stash.schema}.renew_lock('default', '${name}', ${token}, ${holder}, 60000)`,
    )
    expect(renewed).toEqual([[false]])
    expect((await stash.tryLock(name))?.isHeld).toBe(true)
  })

  it('run work, and are released whatever becomes of it', async () => {
    const name = fresh()
    expect(await stash.withLock(name, ({ token }) => token > 0)).toBe(true)
    const failure = new Error('of the work')
    await expect(stash.withLock(name, () => Promise.reject(failure))).rejects.toBe(failure)
    await expect(
      stash.withLock(name, () => {
        throw failure
      }),
    ).rejects.toBe(failure)
    const again = await other.tryLock(name)
    await expect(stash.withLock(name, () => 1, { waitMs: 30 })).rejects.toThrow(LockTimeoutError)
    await again?.release()
    // Another may have been at it beside the work.
    const lost = stash.withLock(name, async () => {
      await die(name)
      return 'done'
    })
    await expect(lost).rejects.toMatchObject({ code: 'ERR_PGSTASH_LOCK_LOST', reason: 'taken' })
  })

  it('are not waited for any more once the signal aborts, and are given back where they come too late', async () => {
    const name = fresh()
    const lock = await other.lock(name)
    const stop = new AbortController()
    const waiting = stash.lock(name, { signal: stop.signal })
    await sleep(40)
    stop.abort('enough')
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_PGSTASH_ABORTED', cause: 'enough' })
    await expect(stash.lock(name, { signal: stop.signal })).rejects.toThrow(CallAbortedError)
    await lock.release()
    const late = new AbortController()
    const tooLate = stash.lock(name, { signal: late.signal })
    // By now it has been asked for, and not answered.
    await new Promise((resolve) => setImmediate(resolve))
    late.abort()
    const got = await tooLate.catch(() => undefined)
    await got?.release()
    const next = await other.lock(name, { waitMs: 5_000 })
    await next.release()
  })

  it('are a tenant’s own', async () => {
    const name = fresh()
    const locks = await Promise.all(['a', 'b'].map((tenant) => stash.tenant(tenant).lock(name)))
    expect(await stash.tenant('a').tryLock(name)).toBeUndefined()
    await stash.tenant('a').clear()
    expect(await other.tenant('a').tryLock(name)).toBeUndefined()
    for (const lock of locks) expect(await lock.release()).toBe(true)
    expect(await stash.tenant('a').withLock(name, () => 'a')).toBe('a')
  })

  it('refuse what will not do before anything is sent', async () => {
    const anything = (value: unknown) => value as never
    for (const [call, field] of [
      [() => stash.lock(''), 'name'],
      [() => stash.lock(anything(5)), 'name'],
      [() => stash.lock('a\0b'), 'name'],
      [() => stash.lock('x'.repeat(1_025)), 'name'],
      [() => stash.lock('a', { leaseMs: 99 }), 'leaseMs'],
      [() => stash.lock('a', { leaseMs: anything('1000') }), 'leaseMs'],
      [() => stash.lock('a', { waitMs: -1 }), 'waitMs'],
      [() => stash.lock('a', { waitMs: Number.NaN }), 'waitMs'],
      [() => stash.lock('a', { signal: anything(new AbortController()) }), 'signal'],
      [() => stash.lock('a', anything({ lease: 5 })), 'options'],
      [() => stash.lock('a', anything(5_000)), 'options'],
      [() => stash.tryLock('a', anything({ waitMs: 5 })), 'options'],
      [() => stash.tenant('').lock('a'), 'tenant'],
    ] as [() => Promise<unknown>, string][]) {
      const error = await (async () => call())().catch((error: unknown) => error)
      expect(error).toBeInstanceOf(InvalidArgumentError)
      expect(error).toMatchObject({ field })
    }
  })

  it('are lost, and no longer waited for, once the stash is closed', async () => {
    const third = body.open({ schema: stash.schema })
    const [held, name] = [await third.lock(fresh()), fresh()]
    const lock = await stash.lock(name)
    const waiting = third.lock(name)
    waiting.catch(() => {})
    await sleep(20)
    await third.close()
    await expect(waiting).rejects.toThrow(StashClosedError)
    expect(held.signal.reason).toMatchObject({ reason: 'closed' })
    expect(await held.release()).toBe(false)
    await expect(third.lock(name)).rejects.toThrow(StashClosedError)
    await lock.release()
  })

  it('are counted, and their rows swept an hour after', async () => {
    const counted = body.open()
    const lock = await counted.lock('a')
    await (await counted.lock('b')).release()
    expect((await counted.stats()).locks.held).toBe(1)
    await counted.sweep()
    const rows = () => body.sql(`select name from ${counted.schema}.lock order by 1`)
    expect(await rows()).toEqual([['a'], ['b']])
    await body.sql(`update ${counted.schema}.lock set token = token - 3600000000::bigint where name = 'b'`)
    expect(await counted.sweep()).toMatchObject({ expired: 0 })
    expect(await rows()).toEqual([['a']])
    expect(await lock.release()).toBe(true)
  })

  // Last: of PGlite's one connection it makes another role's.
  it('are kept apart by row-level security too', async () => {
    const isolated = await body.openIsolated()
    const name = fresh()
    const locks = await Promise.all(['a', 'b'].map((tenant) => isolated.tenant(tenant).lock(name)))
    expect(await isolated.tenant('a').tryLock(name)).toBeUndefined()
    for (const lock of locks) expect(await lock.release()).toBe(true)
    expect(await isolated.tenant('b').withLock(name, ({ token }) => token > (locks[1]?.token as number))).toBe(true)
  })
})
