import { AsyncLocalStorage } from 'node:async_hooks'
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import express from 'express'
import session from 'express-session'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PgSessionStore, type PgSessionStoreOptions } from '../../src/adapters/sessions/express'
import { PgSessionStore as FastifyPgSessionStore } from '../../src/adapters/sessions/fastify'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describePostgres, describeStrictDefaults } from '../support/bodies'
import { Browser, closed, listening } from '../support/browser'
import { rounds } from '../support/depth'
import { sleep } from '../support/sleep'

declare module 'express-session' {
  interface SessionData {
    user?: string
    views?: number
  }
}

declare module 'fastify' {
  interface Session {
    user?: string
    views?: number
  }
}

const secret = 'a secret of thirty-two characters or more'

/** An app with a session, in the host of its kind: `/in/:user`, `/view`, `/out`. */
interface App {
  readonly origin: string
  close(): Promise<void>
}

type Store = PgSessionStore | FastifyPgSessionStore

async function expressApp(store: Store, tenants: AsyncLocalStorage<string>, maxAge = 60_000): Promise<App> {
  const app = express()
  app.use((req, _res, next) => tenants.run(req.get('x-tenant') ?? 'default', next))
  app.use(
    session({
      store: store as PgSessionStore,
      secret,
      resave: false,
      saveUninitialized: false,
      rolling: true,
      cookie: { maxAge },
    }),
  )
  app.get('/in/:user', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      req.session.user = req.params.user
      res.send(req.session.id)
    })
  })
  app.get('/view', (req, res) => {
    if (req.session.user === undefined) return void res.send('anonymous')
    req.session.views = (req.session.views ?? 0) + 1
    res.send(`${req.session.user} ${req.session.views}`)
  })
  app.get('/who', (req, res) => void res.send(req.session.user ?? 'anonymous'))
  app.get('/out', (req, res) => req.session.destroy(() => res.send('out')))
  const server = app.listen(0, '127.0.0.1')
  return { origin: await listening(server), close: () => closed(server) }
}

async function fastifyApp(store: Store, tenants: AsyncLocalStorage<string>, maxAge = 60_000): Promise<App> {
  const app: FastifyInstance = Fastify({ forceCloseConnections: true })
  app.addHook('onRequest', (request, _reply, done) => {
    tenants.run((request.headers['x-tenant'] as string | undefined) ?? 'default', done)
  })
  await app.register(fastifyCookie)
  await app.register(fastifySession, {
    store: store as never,
    secret,
    saveUninitialized: false,
    cookie: { secure: false, maxAge },
  })
  app.get<{ Params: { user: string } }>('/in/:user', async (request) => {
    await request.session.regenerate()
    request.session.user = request.params.user
    return request.session.sessionId
  })
  app.get('/view', async (request) => {
    if (request.session.user === undefined) return 'anonymous'
    request.session.views = (request.session.views ?? 0) + 1
    return `${request.session.user} ${request.session.views}`
  })
  app.get('/who', async (request) => request.session.user ?? 'anonymous')
  app.get('/out', async (request) => {
    await request.session.destroy()
    return 'out'
  })
  return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
}

const hosts = { 'express-session': expressApp, '@fastify/session': fastifyApp } as const
const names = Object.keys(hosts) as (keyof typeof hosts)[]

/** @param isShallow without what takes seconds, and has nothing to do with the database */
function suite(body: Body, isolation: 'column' | 'rls', isShallow = false): void {
  let stash: PgStash
  const tenants = new AsyncLocalStorage<string>()
  const apps: App[] = []

  beforeAll(async () => {
    stash = isolation === 'rls' ? await body.openIsolated() : body.open()
    await stash.ready()
  })

  afterAll(async () => {
    for (const app of apps) await app.close()
  })

  // All hosts at once: it is waiting.
  describe.concurrent.each(names)('%s', (name) => {
    it.skipIf(isShallow)('moves the expiry with every request, and ends the session after it', async () => {
      const app = await hosts[name](new PgSessionStore({ stash, namespace: `${name}-brief` }), tenants, 1_000)
      apps.push(app)
      const ada = new Browser(app.origin)
      await ada.get('/in/ada')
      for (let request = 0; request < 3; request += 1) {
        await sleep(600)
        expect((await ada.get('/who')).text).toBe('ada')
      }
      await sleep(1_050)
      expect((await ada.get('/who')).text).toBe('anonymous')
    })
  })

  describe.each(names)('%s', (name) => {
    const start = hosts[name]
    const stores = name === 'express-session' ? [PgSessionStore] : [PgSessionStore, FastifyPgSessionStore]

    it.each(stores.map((Store) => [Store]))('logs in, counts, and logs out', async (Store) => {
      const store = new Store({ stash, namespace: `${name}-${stores.indexOf(Store)}` })
      const app = await start(store, tenants)
      apps.push(app)
      const [ada, grace] = [new Browser(app.origin), new Browser(app.origin)]
      expect((await ada.get('/view')).text).toBe('anonymous')
      await ada.get('/in/ada')
      await grace.get('/in/grace')
      expect((await ada.get('/view')).text).toBe('ada 1')
      expect((await ada.get('/view')).text).toBe('ada 2')
      expect((await grace.get('/view')).text).toBe('grace 1')
      expect(await store.length()).toBe(2)
      expect((await ada.get('/out')).text).toBe('out')
      expect((await ada.get('/view')).text).toBe('anonymous')
      expect((await grace.get('/view')).text).toBe('grace 2')
      expect(await store.length()).toBe(1)
    })

    it('logs a user out everywhere else', async () => {
      const userId = (session: { user?: unknown }) => session.user as string | undefined
      const store = new PgSessionStore({ stash, namespace: `${name}-users`, userId } as PgSessionStoreOptions)
      const app = await start(store, tenants)
      apps.push(app)
      const browsers = [0, 1, 2].map(() => new Browser(app.origin))
      const ids = []
      for (const browser of browsers) ids.push((await browser.get('/in/ada')).text)
      const other = new Browser(app.origin)
      await other.get('/in/grace')
      expect((await store.listByUser('ada')).map(({ id }) => id).sort()).toEqual([...ids].sort())
      expect(await store.destroyByUser('ada', { except: ids[0] })).toBe(2)
      const answers = []
      for (const browser of [...browsers, other]) answers.push((await browser.get('/who')).text)
      expect(answers).toEqual(['ada', 'anonymous', 'anonymous', 'grace'])
    })

    it('keeps the sessions of each tenant to it, though a cookie wanders', async () => {
      const tenant = () => tenants.getStore()
      const store = new PgSessionStore({ stash, namespace: `${name}-tenants`, tenant })
      const app = await start(store, tenants)
      apps.push(app)
      const headers: Record<string, string> = { 'x-tenant': 'acme' }
      const ada = new Browser(app.origin, headers)
      await ada.get('/in/ada')
      expect((await ada.get('/who')).text).toBe('ada')
      headers['x-tenant'] = 'globex'
      expect((await ada.get('/who')).text).toBe('anonymous')
      expect(await tenants.run('acme', () => store.length())).toBe(1)
      expect(await tenants.run('globex', () => store.length())).toBe(0)
      await expect(store.length()).rejects.toMatchObject({ code: 'ERR_PGSTASH_TENANT_REQUIRED' })
    })

    const crowd = rounds({ shallow: 30, deep: 100 })

    it(`is right for ${crowd} browsers at once`, async () => {
      const app = await start(new PgSessionStore({ stash, namespace: `${name}-crowd` }), tenants)
      apps.push(app)
      const browsers = Array.from({ length: crowd }, () => new Browser(app.origin))
      const answers = await Promise.all(
        browsers.map(async (browser, at) => {
          await browser.get(`/in/user-${at}`)
          for (let view = 0; view < 3; view += 1) await browser.get('/view')
          return (await browser.get('/view')).text
        }),
      )
      expect(answers).toEqual(browsers.map((_, at) => `user-${at} 4`))
    })
  })
}

for (const isolation of ['column', 'rls'] as const) {
  const title = `sessions over HTTP, tenants apart by ${isolation}`
  describePostgres(title, (body) => suite(body, isolation))
  describeStrictDefaults(title, (body) => suite(body, isolation, true))
}
