import session from 'express-session'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PgSessionStore } from '../../src/adapters/sessions/express'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeEveryBody } from '../support/bodies'
import { sleep } from '../support/sleep'

/** A store of sessions, as express-session calls it: each method with a callback. */
interface Store {
  get(id: string, callback: (error: unknown, session?: unknown) => void): void
  set(id: string, session: never, callback?: (error?: unknown) => void): void
  destroy(id: string, callback?: (error?: unknown) => void): void
  touch(id: string, session: never, callback?: (error?: unknown) => void): void
  all(callback: (error: unknown, sessions?: unknown) => void): void
  length(callback: (error: unknown, length?: number) => void): void
  clear(callback?: (error?: unknown) => void): void
}

/** The same with promises. */
class Caller {
  constructor(readonly store: Store) {}

  get(id: string): Promise<Stored | undefined> {
    return call((done) => this.store.get(id, done)) as Promise<Stored | undefined>
  }

  set(id: string, given: object): Promise<unknown> {
    return call((done) => this.store.set(id, given as never, done))
  }

  destroy(id: string): Promise<unknown> {
    return call((done) => this.store.destroy(id, done))
  }

  touch(id: string, given: object): Promise<unknown> {
    return call((done) => this.store.touch(id, given as never, done))
  }

  /** express-session's MemoryStore answers an object by id, others an array. */
  async all(): Promise<Stored[]> {
    return Object.values((await call((done) => this.store.all(done))) as Stored[])
  }

  length(): Promise<unknown> {
    return call((done) => this.store.length(done))
  }

  clear(): Promise<unknown> {
    return call((done) => this.store.clear(done))
  }
}

interface Stored {
  readonly id?: string
  readonly cookie: { readonly expires?: string | null; readonly originalMaxAge?: number | null }
  readonly [name: string]: unknown
}

function call(ask: (done: (error: unknown, answer?: unknown) => void) => void): Promise<unknown> {
  return new Promise((resolve, reject) => ask((error, answer) => (error ? reject(error) : resolve(answer))))
}

/** As the middleware makes them: a real cookie of express-session, and data. */
function made(data: object, maxAge: number | null = 60_000): { cookie: session.Cookie } {
  const cookie = new session.Cookie()
  if (maxAge !== null) cookie.originalMaxAge = maxAge
  cookie.expires = maxAge === null ? null : new Date(Date.now() + maxAge)
  if (maxAge !== null) cookie.originalMaxAge = maxAge
  return { ...data, cookie }
}

/**
 * What express-session's own MemoryStore does, from its documentation ("Session Store Implementation") and its behaviour; it has to pass as well.
 */
function sessionStoreContract(
  open: () => Promise<Caller>,
  rules: { readonly isExact: boolean; readonly keepsCookies: boolean },
): void {
  let store: Caller

  beforeAll(async () => {
    store = await open()
  })

  it('get: nothing for an id nobody set, and no error', async () => {
    expect((await store.get('nobody')) ?? undefined).toBeUndefined()
  })

  it('set, then get: the same data, and the cookie', async () => {
    await store.set('a', made({ user: { name: 'Ada', tags: ['x'] }, n: 1, nothing: null, nul: 'a\0b', odd: '\ud800' }))
    const found = await store.get('a')
    expect(found).toMatchObject({ user: { name: 'Ada', tags: ['x'] }, n: 1, nothing: null, nul: 'a\0b', odd: '\ud800' })
    expect(found?.cookie).toMatchObject({ originalMaxAge: 60_000, httpOnly: true, path: '/' })
  })

  it('set: replaces all of the session', async () => {
    await store.set('replaced', made({ a: 1, b: 2 }))
    await store.set('replaced', made({ a: 3 }))
    const { cookie, ...data } = (await store.get('replaced')) as Stored
    expect(data).toEqual({ a: 3 })
  })

  it('set: what is stored does not change with the object it was made of', async () => {
    const given = made({ list: [1] })
    await store.set('frozen', given)
    ;(given as unknown as { list: number[] }).list.push(2)
    expect((await store.get('frozen'))?.list).toEqual([1])
  })

  it('destroy: the session is gone; of one that is not there, no error', async () => {
    await store.set('gone', made({}))
    await store.destroy('gone')
    expect((await store.get('gone')) ?? undefined).toBeUndefined()
    await store.destroy('gone')
  })

  it('callbacks may be left out of set, touch, destroy and clear', async () => {
    store.store.set('silent', made({}) as never)
    store.store.touch('silent', made({}) as never)
    store.store.destroy('silent')
    expect((await store.get('silent')) ?? undefined).toBeUndefined()
  })

  it('expires in the past: set, and never returned', async () => {
    await store.set('past', made({}, -1_000))
    expect((await store.get('past')) ?? undefined).toBeUndefined()
    await store.set('now', made({}, 0))
    expect((await store.get('now')) ?? undefined).toBeUndefined()
  })

  it('expires: to the millisecond', async () => {
    const given = made({}, 3_600_000)
    await store.set('exact', given)
    const expires = new Date((await store.get('exact'))?.cookie.expires as string).getTime()
    // MemoryStore keeps the date. Others keep how long, so the way there and back shows; in process it is nothing.
    expect(Math.abs(expires - (given.cookie.expires as Date).getTime())).toBeLessThanOrEqual(rules.isExact ? 0 : 250)
  })

  it('expires null: a session of the browser, kept, and still null', async () => {
    await store.set('browser', made({ a: 1 }, null))
    const found = await store.get('browser')
    expect(found).toMatchObject({ a: 1 })
    expect(found?.cookie.expires ?? null).toBeNull()
    expect(found?.cookie.originalMaxAge ?? null).toBeNull()
  })

  it('expires an Invalid Date: kept like one without', async () => {
    const given = made({ a: 1 }, null)
    given.cookie.expires = new Date(Number.NaN)
    await store.set('invalid', given)
    expect(await store.get('invalid')).toMatchObject({ a: 1 })
    await store.touch('invalid', given)
    expect(await store.get('invalid')).toMatchObject({ a: 1 })
  })

  // connect-pg-simple's table holds the cookie among the data, which a touch leaves alone.
  it.runIf(rules.keepsCookies)('touch: takes over the cookie, also one that had no expiry', async () => {
    await store.set('remember', made({ a: 1 }, null))
    await store.touch('remember', made({ a: 1 }, 60_000))
    const found = await store.get('remember')
    expect(found?.cookie.originalMaxAge).toBe(60_000)
    expect(found?.cookie.expires).toEqual(expect.any(String))
  })

  it('touch: shortens, too', async () => {
    await store.set('shortened', made({}, 60_000))
    await store.touch('shortened', made({}, 100))
    await sleep(120)
    expect((await store.get('shortened')) ?? undefined).toBeUndefined()
  })

  it('touch: brings back neither what was destroyed nor what has expired, nor makes what never was', async () => {
    await store.set('destroyed', made({}))
    await store.destroy('destroyed')
    await store.touch('destroyed', made({}))
    await store.set('expired', made({}, 50))
    await sleep(70)
    await store.touch('expired', made({}))
    await store.touch('never', made({}))
    for (const id of ['destroyed', 'expired', 'never']) expect((await store.get(id)) ?? undefined).toBeUndefined()
  })

  it('touch: races with set and destroy, and loses nothing', async () => {
    await store.set('raced', made({ n: 0 }))
    for (let n = 1; n <= 20; n += 1) {
      await Promise.all([
        store.touch('raced', made({ n: -1 })),
        store.set('raced', made({ n })),
        store.touch('raced', made({ n: -2 })),
      ])
      expect((await store.get('raced'))?.n).toBe(n)
    }
    await Promise.all([store.destroy('raced'), store.touch('raced', made({ n: -3 }))])
    expect((await store.get('raced')) ?? undefined).toBeUndefined()
  })

  // Their seconds of waiting go by together.
  it.concurrent('expires: a session is there before that moment, and not from it on', async () => {
    await store.set('brief', made({}, 1_000))
    expect(await store.get('brief')).toBeDefined()
    await sleep(1_020)
    expect((await store.get('brief')) ?? undefined).toBeUndefined()
  })

  it.concurrent('expires an ISO string: as the date', async () => {
    const cookie = { originalMaxAge: 1_000, expires: new Date(Date.now() + 1_000).toISOString() }
    await store.set('iso', { cookie, a: 1 })
    expect(await store.get('iso')).toMatchObject({ a: 1 })
    await sleep(1_020)
    expect((await store.get('iso')) ?? undefined).toBeUndefined()
  })

  it.concurrent('touch: moves the expiry, and changes no data', async () => {
    await store.set('touched', made({ a: 1 }, 1_000))
    await store.touch('touched', made({ a: 2, b: 3 }, 60_000))
    await sleep(1_020)
    const { cookie, ...data } = (await store.get('touched')) as Stored
    expect(data).toEqual({ a: 1 })
    const left = new Date(cookie.expires as string).getTime() - Date.now()
    expect(left).toBeGreaterThan(55_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })

  describe('of all sessions', () => {
    beforeAll(async () => {
      await store.clear()
      await store.set('one', made({ n: 1 }))
      await store.set('two', made({ n: 2 }))
      await store.set('expired', made({ n: 3 }, 1))
      await sleep(20)
    })

    it('all: every live one', async () => {
      const all = await store.all()
      expect(all.map(({ n }) => n).sort()).toEqual([1, 2])
      for (const one of all) expect(one.cookie).toMatchObject({ originalMaxAge: 60_000 })
    })

    it('length: how many live ones', async () => {
      expect(await store.length()).toBe(2)
    })

    it('clear: none is left', async () => {
      await store.clear()
      expect(await store.length()).toBe(0)
      expect(await store.all()).toEqual([])
      expect((await store.get('one')) ?? undefined).toBeUndefined()
    })
  })
}

describe("express-session's MemoryStore", () => {
  sessionStoreContract(async () => new Caller(new session.MemoryStore() as unknown as Store), {
    isExact: true,
    keepsCookies: true,
  })
})

for (const isolation of ['column', 'rls'] as const) {
  describeEveryBody(`PgSessionStore, tenants apart by ${isolation}`, (body) => {
    const openStash = async () => (isolation === 'rls' ? body.openIsolated() : body.open())
    sessionStoreContract(async () => new Caller(new PgSessionStore({ stash: await openStash() }) as unknown as Store), {
      isExact: false,
      keepsCookies: true,
    })
  })
}

describeEveryBody('PgSessionStore on a table of connect-pg-simple', (body) => {
  let stash: PgStash

  const open = async () => {
    stash = body.open()
    await stash.ready()
    await body.script(`create table ${stash.schema}.web_session (
      sid varchar not null collate "default" primary key, sess json not null, expire timestamp(6) not null)`)
    return new PgSessionStore({ stash, table: `${stash.schema}.web_session` })
  }

  sessionStoreContract(async () => new Caller((await open()) as unknown as Store), {
    isExact: false,
    keepsCookies: false,
  })

  afterAll(async () => {
    await body.sql(`drop table if exists ${stash.schema}.web_session`)
  })
})
