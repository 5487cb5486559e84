import connectPgSimple from 'connect-pg-simple'
import session from 'express-session'
import pg from 'pg'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { PgSessionStore } from '../../../src/adapters/sessions/express'
import { PgStash } from '../../../src/stash/pg-stash'
import { Sessions, type SessionsOptions } from '../../../src/stash/sessions/store'
import { describeBodies, freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { sleep } from '../../support/sleep'

/** By its cookie, in milliseconds. */
const leftOf = (found: { cookie?: { expires?: unknown } | undefined } | null | undefined) =>
  new Date(found?.cookie?.expires as string).getTime() - Date.now()

const cookie = (ms = 60_000) => ({ originalMaxAge: ms, expires: new Date(Date.now() + ms), path: '/' })

for (const isolation of ['column', 'rls'] as const) {
  describeBodies(`Sessions, tenants apart by ${isolation}`, (body) => {
    let stash: PgStash
    let names = 0

    beforeAll(async () => {
      stash = isolation === 'rls' ? await body.openIsolated() : body.open()
      await stash.ready()
    })

    const sessionsOf = (options: SessionsOptions = {}) => {
      names += 1
      return new Sessions({ stash, namespace: `sessions-${names}`, ...options })
    }
    const userId = (one: Record<string, unknown>) => one.user as string | undefined

    describe('of users', () => {
      it('lists them, and destroys all but some', async () => {
        const sessions = sessionsOf({ userId })
        for (const id of ['a1', 'a2', 'a3']) await sessions.set(id, { cookie: cookie(), user: 'ada' })
        await sessions.set('g1', { cookie: cookie(), user: 'grace' })
        await sessions.set('n1', { cookie: cookie() })
        expect((await sessions.listByUser('ada')).map(({ id, user }) => [id, user])).toEqual([
          ['a1', 'ada'],
          ['a2', 'ada'],
          ['a3', 'ada'],
        ])
        expect(await sessions.destroyByUser('ada', { except: ['a2', 'g1'] })).toBe(2)
        expect(await sessions.ids()).toEqual(['a2', 'g1', 'n1'])
        expect(await sessions.destroyByUser('nobody')).toBe(0)
        for (const wrong of ['a2', { except: undefined }, { expect: 'a2' }]) {
          await expect(sessions.destroyByUser('ada', wrong as never)).rejects.toMatchObject({
            code: 'ERR_PGSTASH_INVALID_ARGUMENT',
          })
        }
        expect(await sessions.ids()).toEqual(['a2', 'g1', 'n1'])
      })

      it('moves a session to whoever logs in, and counts no expired ones', async () => {
        const sessions = sessionsOf({ userId })
        await sessions.set('s', { cookie: cookie() })
        expect(await sessions.listByUser('ada')).toEqual([])
        await sessions.set('s', { cookie: cookie(), user: 'ada' })
        await sessions.set('old', { cookie: cookie(1), user: 'ada' })
        await sleep(10)
        expect((await sessions.listByUser('ada')).map(({ id }) => id)).toEqual(['s'])
        await sessions.set('s', { cookie: cookie(), user: 'grace' })
        expect(await sessions.listByUser('ada')).toEqual([])
        expect(await sessions.destroyByUser('ada')).toBe(0)
      })

      it('needs to be told whose they are', async () => {
        await expect(sessionsOf().listByUser('ada')).rejects.toMatchObject({ field: 'userId' })
        await expect(sessionsOf({ userId: () => ({}) as never }).set('s', { cookie: cookie() })).rejects.toMatchObject({
          field: 'userId',
        })
      })
    })

    describe('that lose no update', () => {
      const open = () => sessionsOf({ lostUpdates: 'reject' })

      it('refuses the slower of two requests', async () => {
        const sessions = open()
        await sessions.set('s', { cookie: cookie(), n: 0 })
        const [one, two] = (await Promise.all([sessions.get('s'), sessions.get('s')])) as [
          Record<string, unknown>,
          Record<string, unknown>,
        ]
        await sessions.set('s', { ...one, n: 1 })
        await expect(sessions.set('s', { ...two, n: 2 })).rejects.toMatchObject({
          code: 'ERR_PGSTASH_VERSION_CONFLICT',
        })
        expect(await sessions.get('s')).toMatchObject({ n: 1 })
      })

      it('lets one request write again what it wrote', async () => {
        const sessions = open()
        const made: Record<string, unknown> = { cookie: cookie(), n: 0 }
        await sessions.set('s', made)
        for (let n = 1; n < 4; n += 1) {
          made.n = n
          await sessions.set('s', made)
        }
        const found = (await sessions.get('s')) as Record<string, unknown>
        found.n = 9
        await sessions.set('s', found)
        found.n = 10
        await sessions.set('s', found)
        expect(await sessions.get('s')).toMatchObject({ n: 10 })
      })

      it('brings back nobody who logged out meanwhile', async () => {
        const sessions = open()
        await sessions.set('s', { cookie: cookie(), n: 0 })
        const found = (await sessions.get('s')) as Record<string, unknown>
        await sessions.destroy('s')
        await sessions.set('s', { ...found, n: 1 })
        expect(await sessions.get('s')).toBeUndefined()
      })

      it('takes a touch for no change', async () => {
        const sessions = open()
        await sessions.set('s', { cookie: cookie(), n: 0 })
        const found = (await sessions.get('s')) as Record<string, unknown>
        await sessions.touch('s', { cookie: cookie(90_000) })
        await sessions.set('s', { ...found, n: 1 })
        expect(await sessions.get('s')).toMatchObject({ n: 1 })
      })

      // Whoever is refused begins anew: it takes the square of their number.
      const crowd = rounds({ shallow: 20, deep: 50 })

      it(`counts every one of ${crowd} that begin anew when refused`, async () => {
        const sessions = open()
        await sessions.set('s', { cookie: cookie(), n: 0 })
        const addOne = async (): Promise<void> => {
          const found = (await sessions.get('s')) as { n: number }
          await sessions.set('s', { ...found, n: found.n + 1 }).catch(addOne)
        }
        await Promise.all(Array.from({ length: crowd }, addOne))
        expect(await sessions.get('s')).toMatchObject({ n: crowd })
      })

      it('stores nothing of how it does it', async () => {
        const sessions = open()
        await sessions.set('s', { cookie: cookie(), n: 0 })
        await sessions.set('s', { ...(await sessions.get('s')), n: 1 })
        const [listed] = await sessions.all()
        expect(Object.keys(listed as object).sort()).toEqual(['cookie', 'id', 'n'])
      })
    })

    it('takes ids that are long, and data that is large', async () => {
      const sessions = sessionsOf({ userId })
      const [id, text] = ['x'.repeat(5_000), 'y'.repeat(1_000_000)]
      await sessions.set(id, { cookie: cookie(), user: 'ada', text })
      expect(await sessions.get(id)).toMatchObject({ text })
      expect(await sessions.ids()).toEqual([id])
      expect(await sessions.destroyByUser('ada', { except: id })).toBe(0)
      expect(await sessions.destroyByUser('ada')).toBe(1)
    })

    it('is right for 300 sessions at once', async () => {
      const sessions = sessionsOf()
      const ids = Array.from({ length: 300 }, (_, at) => `s${String(at).padStart(3, '0')}`)
      await Promise.all(ids.map((id, n) => sessions.set(id, { cookie: cookie(), n })))
      const found = await Promise.all(ids.map((id) => sessions.get(id)))
      expect(found.map((one) => one?.n)).toEqual(ids.map((_, n) => n))
      await Promise.all(ids.map((id) => sessions.touch(id, { cookie: cookie(90_000) })))
      expect(await sessions.ids()).toEqual(ids)
      await sessions.clear()
      expect(await sessions.length()).toBe(0)
    })

    it('keeps apart namespaces and tenants, and is spared by the clear of a cache', async () => {
      const options = { namespace: 'apart', tenant: 'acme' }
      const sessions = sessionsOf(options)
      await sessions.set('s', { cookie: cookie(), n: 1 })
      expect(await sessionsOf({ ...options, tenant: 'globex' }).get('s')).toBeUndefined()
      expect(await sessionsOf({ ...options, namespace: 'other' }).get('s')).toBeUndefined()
      await sessionsOf({ ...options, tenant: 'globex' }).clear()
      await stash.tenant('acme').clear()
      expect(await sessions.get('s')).toMatchObject({ n: 1 })
    })

    it('refuses what is no session, and what JSON cannot say', async () => {
      const sessions = sessionsOf()
      await expect(sessions.set('s', 'text' as never)).rejects.toMatchObject({ field: 'session' })
      await expect(sessions.set('s', { cookie: cookie(), n: 1n })).rejects.toMatchObject({
        code: 'ERR_PGSTASH_UNSERIALISABLE_VALUE',
      })
      await expect(sessions.get('a\0b')).rejects.toMatchObject({ field: 'key' })
      await expect(sessions.touch('s', null as never)).rejects.toMatchObject({ field: 'session' })
      await expect(sessions.destroyByUser('a', { except: 5 as never })).rejects.toBeDefined()
    })
  })
}

describeBodies('a session whose data is unchanged', (body) => {
  let stash: PgStash

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  const rowOf = async (id: string) =>
    (
      await body.sql(
        `select ctid::text, xmin::text, version::text, expires_at::text from ${stash.schema}.session where id = '${id}'`,
      )
    )[0]

  it('is not written where its expiry moves less than touchAfter, by set or by touch', async () => {
    const sessions = new Sessions({ stash, touchAfter: 10_000 })
    await sessions.set('b', { cookie: { expires: new Date(Date.now() + 60_000) }, n: 1 })
    const quiet = await rowOf('b')
    await sessions.set('b', { cookie: { expires: new Date(Date.now() + 65_000) }, n: 1 })
    await sessions.touch('b', { cookie: { expires: new Date(Date.now() + 65_000) } })
    expect(await rowOf('b')).toEqual(quiet)
    await sessions.touch('b', { cookie: { expires: new Date(Date.now() + 80_000) } })
    expect(await rowOf('b')).not.toEqual(quiet)
  })

  it('is not written by a request that asks for the version, either', async () => {
    const sessions = new Sessions({ stash, touchAfter: 10_000, lostUpdates: 'reject' })
    const kept = (ms: number) => ({ expires: new Date(Date.now() + ms) })
    await sessions.set('v', { cookie: kept(60_000), n: 1 })
    const found = await sessions.get('v')
    const quiet = await rowOf('v')
    await sessions.set('v', { ...found, cookie: kept(65_000) })
    expect(await rowOf('v')).toEqual(quiet)
    await sessions.set('v', { ...found, cookie: kept(65_000), n: 2 })
    expect(await sessions.get('v')).toMatchObject({ n: 2 })
  })

  it('takes cookies that say odd things', async () => {
    const sessions = new Sessions({ stash })
    await sessions.set('infinite', { cookie: { maxAge: Number.POSITIVE_INFINITY }, n: 1 })
    await sessions.set('odd', { cookie: { expires: 'expires_at' }, n: 2 })
    await sessions.set('far', { cookie: { expires: new Date(8.64e15) }, n: 3 })
    expect((await sessions.all()).filter(({ id }) => ['infinite', 'odd', 'far'].includes(id))).toHaveLength(3)
    await expect(sessions.set('s', { cookie: { big: 1n } })).rejects.toMatchObject({
      code: 'ERR_PGSTASH_UNSERIALISABLE_VALUE',
    })
    await sessions.set('kept', { cookie: cookie(60_000), n: 4 })
    await sessions.touch('kept', {})
    expect((await sessions.get('kept'))?.cookie).toMatchObject({ originalMaxAge: 60_000 })
  })

  it('keeps its version where only the expiry moves', async () => {
    const sessions = new Sessions({ stash })
    await sessions.set('c', { cookie: cookie(60_000), n: 1 })
    const [, , version, expiresAt] = (await rowOf('c')) as string[]
    await sessions.set('c', { cookie: cookie(90_000), n: 1 })
    const [, , sameVersion, later] = (await rowOf('c')) as string[]
    expect(sameVersion).toBe(version)
    expect(Number(later)).toBeGreaterThan(Number(expiresAt))
    await sessions.set('c', { cookie: cookie(90_000), n: 2 })
    expect(Number(((await rowOf('c')) as string[])[2])).toBeGreaterThan(Number(version))
  })

  it('ends at once where its expiry moves back, whatever touchAfter says', async () => {
    const sessions = new Sessions({ stash, touchAfter: 60_000 })
    for (const end of [
      () => sessions.set('back', { cookie: cookie(-1_000), a: 1 }),
      () => sessions.touch('back', { cookie: cookie(-1_000) }),
      () => sessions.set('back', { cookie: { maxAge: -1 }, a: 1 }),
    ]) {
      await sessions.set('back', { cookie: cookie(120_000), a: 1 })
      await end()
      expect(await sessions.get('back'), String(end)).toBeUndefined()
    }
    await sessions.set('back', { cookie: cookie(120_000), a: 1 })
    await sessions.touch('back', { cookie: cookie(30_000) })
    expect(leftOf(await sessions.get('back'))).toBeLessThanOrEqual(30_000)
  })

  it('lives on while somebody is there, where it lives for less than touchAfter', async () => {
    const sessions = new Sessions({ stash, touchAfter: 60_000 })
    await sessions.set('brief', { cookie: cookie(2_000) })
    for (let visit = 0; visit < 2; visit += 1) {
      await sleep(1_050)
      await sessions.touch('brief', { cookie: cookie(2_000) })
    }
    expect(leftOf(await sessions.get('brief'))).toBeGreaterThan(1_000)
  })

  it('is written where its data changes, whatever touchAfter says', async () => {
    const sessions = new Sessions({ stash, touchAfter: 1_000_000 })
    await sessions.set('d', { cookie: cookie(), n: 1 })
    await sessions.set('d', { cookie: cookie(), n: 2 })
    expect(await sessions.get('d')).toMatchObject({ n: 2 })
  })

  it('is swept once it has expired, with the counters and entries', async () => {
    const sessions = new Sessions({ stash, namespace: 'swept' })
    await Promise.all(Array.from({ length: 20 }, (_, at) => sessions.set(`s${at}`, { cookie: cookie(5) })))
    await sessions.set('stays', { cookie: cookie() })
    await sleep(20)
    expect(await stash.sweep()).toMatchObject({ expired: 20, sessions: 20, rateLimits: 0 })
    expect(await sessions.ids()).toEqual(['stays'])
  })
})

describe('beside connect-pg-simple, on one of its tables', () => {
  const schema = freshSchema()
  let stash: PgStash
  let theirs: session.Store & { close(): Promise<void> }
  let ours: PgSessionStore
  const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })

  beforeAll(async () => {
    await pool.query(`create schema ${schema}`)
    const Theirs = connectPgSimple(session as never)
    theirs = new Theirs({ pool, schemaName: schema, createTableIfMissing: true, pruneSessionInterval: false }) as never
    stash = new PgStash({ connectionString: inject('postgresUrl'), schema: freshSchema() })
    ours = new PgSessionStore({ stash, table: `${schema}.session`, userId: (one) => one.user as string | undefined })
    return async () => {
      await ours.close()
      await stash.close()
      await theirs.close()
      await pool.query(`drop schema ${schema} cascade; drop schema ${stash.schema} cascade`)
      await pool.end()
    }
  })

  const call = <T>(ask: (done: (error: unknown, answer?: T) => void) => void) =>
    new Promise<T | undefined>((resolve, reject) => ask((error, answer) => (error ? reject(error) : resolve(answer))))

  it('each reads what the other wrote, and neither what has expired', async () => {
    await call<void>((done) => theirs.set('theirs', { cookie: cookie(), user: 'ada', n: 1 } as never, done))
    expect(await ours.get('theirs')).toMatchObject({ user: 'ada', n: 1, cookie: { originalMaxAge: 60_000 } })
    await ours.set('ours', { cookie: cookie(), user: 'ada', n: 2 })
    expect(await call((done) => theirs.get('ours', done))).toMatchObject({ user: 'ada', n: 2 })
    await ours.set('brief', { cookie: cookie(100) })
    await sleep(120)
    expect(await ours.get('brief')).toBeNull()
  })

  it('lists and destroys by user, touches, and sweeps', async () => {
    expect((await ours.listByUser('ada')).map(({ id }) => id).sort()).toEqual(['ours', 'theirs'])
    await ours.touch('ours', { cookie: cookie(120_000) })
    const touched = await ours.get('ours')
    expect(new Date(touched?.cookie.expires as Date).getTime() - Date.now()).toBeGreaterThan(100_000)
    expect(await ours.destroyByUser('ada', { except: 'ours' })).toBe(1)
    expect(await call((done) => theirs.get('theirs', done))).toBeUndefined()
    const swept = await stash.sweep()
    expect(swept.sessions).toBeGreaterThanOrEqual(1)
    expect(swept.expired).toBe(swept.sessions)
    const { rows } = await pool.query(`select sid from ${schema}.session`)
    expect(rows).toEqual([{ sid: 'ours' }])
  })

  it('means the same moment over a change to or from summer time', async () => {
    const options = '-c timezone=Europe/Berlin'
    const away = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1, options })
    const berlin = new PgStash({ connectionString: inject('postgresUrl'), schema: stash.schema, options } as never)
    const ourStore = new PgSessionStore({ stash: berlin, table: `${schema}.session`, touchAfter: 60_000 })
    const Theirs = connectPgSimple(session as never)
    const theirStore = new Theirs({
      pool: away,
      schemaName: schema,
      pruneSessionInterval: false,
    }) as never as typeof theirs
    // One of the two is on the other side of a change, on whatever day this runs.
    for (const days of [180, 270]) {
      const life = days * 86_400_000
      await ourStore.set('ours', { cookie: cookie(life) })
      await call<void>((done) => theirStore.set('theirs', { cookie: cookie(life) } as never, done))
      const { rows } = await away.query(
        `select extract(epoch from a.expire - b.expire)::float8 as apart from ${schema}.session a, ${schema}.session b where a.sid = 'ours' and b.sid = 'theirs'`,
      )
      expect(Math.abs(rows[0].apart)).toBeLessThan(60)
      for (const id of ['ours', 'theirs']) expect(Math.abs(leftOf(await ourStore.get(id)) - life)).toBeLessThan(60_000)
      await ourStore.touch('ours', { cookie: cookie(life + 120_000) })
      expect(leftOf(await ourStore.get('ours'))).toBeGreaterThan(life + 60_000)
    }
    await ourStore.touch('ours', { cookie: cookie(-1_000) })
    expect(await ourStore.get('ours')).toBeNull()
    await theirStore.close()
    await away.end()
    await berlin.close()
  })

  it('refuses what that table cannot do', () => {
    const table = 'session'
    expect(() => new PgSessionStore({ stash, table, tenant: 'acme' })).toThrow(
      expect.objectContaining({ field: 'tenant' }),
    )
    expect(() => new PgSessionStore({ stash, table, lostUpdates: 'reject' })).toThrow(
      expect.objectContaining({ field: 'lostUpdates' }),
    )
    expect(() => new PgSessionStore({ stash, table: 'a.b.c' })).toThrow(expect.objectContaining({ field: 'table' }))
  })
})

describe('bad options of sessions', () => {
  it.each([
    ['options', 'postgres://nowhere.invalid'],
    ['options', new PgStash({ connectionString: 'postgres://nowhere.invalid' })],
    ['stash', { stash: undefined }],
    ['stash', { stash: {} }],
    ['options', { stash: new PgStash({ connectionString: 'postgres://nowhere.invalid' }), prefix: 'sess:' }],
  ])('names %s, and opens no other stash', (field, options) => {
    expect(() => new Sessions(options as never)).toThrow(expect.objectContaining({ field }))
  })

  it.each([
    ['ttl', { ttl: 0 }],
    ['touchAfter', { touchAfter: -1 }],
    ['userId', { userId: 'name' }],
    ['lostUpdates', { lostUpdates: 'merge' }],
    ['namespace', { namespace: '' }],
    ['tenant', { tenant: '' }],
    ['touchAfter', { ttl: 1_000, touchAfter: 1_000 }],
    ['options', { maxAge: 5 }],
  ])('names %s', (field, options) => {
    expect(() => new Sessions({ connectionString: 'postgres://nowhere.invalid', ...options } as never)).toThrow(
      expect.objectContaining({ field }),
    )
  })
})
