import { beforeAll, expect, it } from 'vitest'
import { PgSessionStore } from '../../../src/adapters/sessions/express'
import { PgSessionStore as FastifyPgSessionStore } from '../../../src/adapters/sessions/fastify'
import type { PgStash } from '../../../src/stash/pg-stash'
import { type SessionData, Sessions, type SessionsOptions } from '../../../src/stash/sessions/store'
import { describeBodies } from '../../support/bodies'

const cookie = (ms = 60_000) => ({ originalMaxAge: ms, expires: new Date(Date.now() + ms), path: '/' })
const conflict = expect.objectContaining({ code: 'ERR_PGSTASH_VERSION_CONFLICT' })

type Held = SessionData & Record<string, unknown>

const copies: [name: string, copy: (session: Held) => Held][] = [
  ['itself', (session) => session],
  ['a spread', (session) => ({ ...session })],
  ['Object.assign', (session) => Object.assign({}, session)],
  ['for … in', (session) => Object.fromEntries(Object.keys(session).map((name) => [name, session[name]]))],
  ['JSON', (session) => JSON.parse(JSON.stringify(session))],
  ['structuredClone', (session) => structuredClone(session)],
  ['a spread, and another cookie', (session) => ({ ...session, cookie: cookie() })],
]

describeBodies("with lostUpdates: 'reject', a session", (body) => {
  let stash: PgStash
  let names = 0

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  const open = (options: SessionsOptions = {}) => {
    names += 1
    return new Sessions({ stash, namespace: `origins-${names}`, lostUpdates: 'reject', ...options })
  }
  const read = async (sessions: Sessions, id: string) => (await sessions.get(id)) as Held
  /** Lets time pass for the sessions opened last. */
  const expire = (ms = 120_000) =>
    body.sql(`update ${stash.schema}.session set expires_at = expires_at - ${ms} where namespace = 'origins-${names}'`)

  it.each(copies)('that was read under one id is stored under another, as %s', async (_name, copy) => {
    const sessions = open()
    await sessions.set('old', { cookie: cookie(), cart: ['book'] })
    const found = await read(sessions, 'old')
    await sessions.destroy('old')
    await sessions.set('new', { ...copy(found), user: 'ada' })
    expect(await sessions.get('new')).toMatchObject({ cart: ['book'], user: 'ada' })
    await sessions.set('other', copy(found))
    expect(await sessions.get('other')).toMatchObject({ cart: ['book'] })
    expect(await sessions.get('old')).toBeUndefined()
  })

  it.each([...copies.slice(0, 3), ...copies.slice(6)])(
    'whose id others write as well is not overwritten by %s',
    async (_name, copy) => {
      const sessions = open()
      await sessions.set('s', { cookie: cookie(), n: 0 })
      const found = copy(await read(sessions, 's'))
      await sessions.set('elsewhere', found)
      await sessions.set('s', { ...(await read(sessions, 's')), n: 1 })
      found.n = 2
      await expect(sessions.set('s', found)).rejects.toEqual(conflict)
      expect(await sessions.get('s')).toMatchObject({ n: 1 })
    },
  )

  it('of a batch passes for none of the others', async () => {
    const sessions = open()
    const ids = ['a', 'b', 'c']
    await Promise.all(ids.map((id) => sessions.set(id, { cookie: cookie(), id })))
    const [a, b] = [await read(sessions, 'a'), await read(sessions, 'b')]
    await sessions.set('c', { ...(await read(sessions, 'c')), n: 1 })
    await sessions.set('b', { ...a, id: 'a as b' })
    await expect(sessions.set('b', { ...b, n: 2 })).rejects.toEqual(conflict)
    expect(await sessions.get('b')).toMatchObject({ id: 'a as b' })
  })

  it('is another one in another namespace, for another tenant, and on another stash', async () => {
    const [one, other] = [open(), open()]
    await one.set('s', { cookie: cookie(), n: 1 })
    const found = await read(one, 's')
    const elsewhere = new Sessions({ stash: body.open(), lostUpdates: 'reject' })
    for (const place of [other, open({ tenant: 'acme' }), elsewhere]) {
      await place.set('s', found)
      expect(await place.get('s')).toMatchObject({ n: 1 })
    }
  })

  it.each([false, true])('that expired since it was read is stored, swept meanwhile: %s', async (isSwept) => {
    const sessions = open()
    await sessions.set('s', { cookie: cookie(), n: 0 })
    const found = await read(sessions, 's')
    const [one, other] = [{ ...found }, { ...found }]
    await expire()
    if (isSwept) await stash.sweep()
    expect(await sessions.get('s')).toBeUndefined()
    await sessions.set('s', { ...one, cookie: cookie(), n: 1 })
    expect(await sessions.get('s')).toMatchObject({ n: 1 })
    await expect(sessions.set('s', { ...other, n: 2 })).rejects.toEqual(conflict)
  })

  it('that expired, and was destroyed then, stays away; so do those of a user, and all of a clear', async () => {
    const sessions = open({ userId: ({ user }) => user as string })
    for (const end of [
      () => sessions.destroy('s'),
      () => sessions.destroyByUser('ada'),
      () => sessions.clear(),
      () => body.sql(`delete from ${stash.schema}.session`),
      () => new Sessions({ stash, namespace: `origins-${names}` }).destroy('s'),
    ]) {
      await sessions.set('s', { cookie: cookie(), user: 'ada' })
      const found = await read(sessions, 's')
      await expire()
      await end()
      await stash.sweep()
      await sessions.set('s', { ...found, cookie: cookie(), n: 1 })
      expect(await sessions.get('s'), String(end)).toBeUndefined()
    }
  })

  it('is swept an hour after its expiry', async () => {
    const sessions = open()
    await sessions.set('s', { cookie: cookie(), n: 0 })
    await expire()
    await stash.sweep()
    const rows = () => body.sql(`select id from ${stash.schema}.session where namespace = 'origins-${names}'`)
    expect(await rows()).toHaveLength(1)
    await expire(3_600_000)
    await stash.sweep()
    expect(await rows()).toHaveLength(0)
  })

  it.each(['set', 'touch'] as const)('that was ended by a %s does not come back', async (verb) => {
    const sessions = open()
    await sessions.set('s', { cookie: cookie(), n: 0 })
    const [changed, unchanged] = [await read(sessions, 's'), await read(sessions, 's')]
    await sessions[verb]('s', { ...(await read(sessions, 's')), cookie: { expires: new Date(0) } })
    await expect(sessions.set('s', { ...changed, n: 1 })).rejects.toEqual(conflict)
    await sessions.set('s', unchanged)
    expect(await sessions.get('s')).toBeUndefined()
  })

  it('that nobody changed since it was read is no conflict, and undoes nothing', async () => {
    const sessions = open()
    await sessions.set('s', { cookie: cookie(), n: 0, list: [{ a: 1 }] })
    const idle = await read(sessions, 's')
    await sessions.set('s', { ...(await read(sessions, 's')), n: 1 })
    await sessions.set('s', { ...idle, cookie: cookie(90_000) })
    const found = await read(sessions, 's')
    expect(found.n).toBe(1)
    expect(new Date(found.cookie?.expires as string).getTime() - Date.now()).toBeGreaterThan(70_000)
    idle.n = 2
    await expect(sessions.set('s', idle)).rejects.toEqual(conflict)
  })

  it('that is refused is refused again, as long as it is not read again', async () => {
    const sessions = open()
    await sessions.set('s', { cookie: cookie(), n: 0 })
    const late = await read(sessions, 's')
    await sessions.set('s', { ...(await read(sessions, 's')), n: 1 })
    late.n = 2
    for (let attempt = 0; attempt < 3; attempt += 1) await expect(sessions.set('s', late)).rejects.toEqual(conflict)
    await Promise.all(
      [1, 2].map(() =>
        sessions.set('s', late).then(
          () => expect.unreachable(),
          (error) => expect(error).toEqual(conflict),
        ),
      ),
    )
    expect(await sessions.get('s')).toMatchObject({ n: 1 })
  })

  it('may be written by one request several times, awaited or not', async () => {
    const sessions = open()
    const made: Held = { cookie: cookie(), n: 0 }
    const sets = [sessions.set('s', made)]
    for (made.n = 1; (made.n as number) < 4; made.n = (made.n as number) + 1) sets.push(sessions.set('s', made))
    await Promise.all(sets)
    const found = await read(sessions, 's')
    expect(found.n).toBe(3)
    await Promise.all([4, 5, 6].map((n) => sessions.set('s', Object.assign(found, { n }))))
    expect(await sessions.get('s')).toMatchObject({ n: 6 })
  })

  it('that was listed is refused as one that was read is', async () => {
    const sessions = open({ userId: ({ user }) => user as string })
    await sessions.set('s', { cookie: cookie(), user: 'ada' })
    const [[listed], [ofUser]] = [await sessions.all(), await sessions.listByUser('ada')]
    await sessions.destroy('s')
    for (const one of [listed, ofUser]) await sessions.set('s', { ...(one as Held), flag: true })
    expect(await sessions.get('s')).toBeUndefined()
  })

  it('shows nothing of it, and keeps fields of the application', async () => {
    const sessions = open()
    const data = { _version: 'mine', version: 3, origin: null }
    await sessions.set('s', { cookie: cookie(), ...data })
    const found = await read(sessions, 's')
    expect(Object.keys(found).sort()).toEqual(['_version', 'cookie', 'origin', 'version'])
    expect(Object.keys(JSON.parse(JSON.stringify(found)))).toHaveLength(4)
    for (const _version of [1, 0, 1.5, null, 'x', {}]) {
      await sessions.set('s', Object.assign(found, { _version }))
      expect(await sessions.get('s')).toMatchObject({ ...data, _version })
    }
  })

  it('that has no cookie is refused as others are, and copies of it', async () => {
    const sessions = open()
    await sessions.set('s', { n: 0 })
    const [one, other] = [await read(sessions, 's'), await read(sessions, 's')]
    await sessions.set('s', { ...one, n: 1 })
    await expect(sessions.set('s', { ...other, n: 2 })).rejects.toEqual(conflict)
    expect(JSON.stringify(await sessions.get('s'))).toBe('{"n":1}')
  })

  // Hosts copy what they are called back with: express-session what createSession() makes of it, @fastify/session by for … in, with a cookie of its own.
  it.each([
    ['pgstash/express-session', PgSessionStore],
    ['pgstash/fastify-session', FastifyPgSessionStore],
  ])(
    'that a host copies after a callback of %s is refused as well, and its JSON is that of the session',
    async (_name, Store) => {
      names += 1
      const store = new Store({ stash, namespace: `origins-${names}`, lostUpdates: 'reject' } as never)
      const asHost = async () => {
        const given = await new Promise<Held>((resolve) =>
          store.get('s', (_error: unknown, one: unknown) => resolve(one as Held)),
        )
        const copy: Held = {}
        for (const name in given) if (name !== 'cookie') copy[name] = given[name]
        return Object.assign(copy, { cookie: { ...given.cookie } })
      }
      await store.set('s', { cookie: cookie(), n: 0 })
      const [one, other] = [await asHost(), await asHost()]
      expect(JSON.parse(JSON.stringify(one))).toEqual({ n: 0, cookie: expect.anything() })
      await store.set('s', Object.assign(one, { n: 1 }))
      await expect(store.set('s', Object.assign(other, { n: 2 }))).rejects.toEqual(conflict)
      await store.set('t', other)
      expect(await store.get('t')).toMatchObject({ n: 2 })
      const [row] = await body.sql(
        `select data from ${stash.schema}.session where namespace = 'origins-${names}' and id = 't'`,
      )
      expect(row).toEqual(['{"n":2}'])
    },
  )
})
