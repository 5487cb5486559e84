import { createServer, type RequestListener, type Server } from 'node:http'
import fastifyCookie from '@fastify/cookie'
import fastifySession, { type FastifySessionOptions } from '@fastify/session'
import { createClient } from '@redis/client'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session, { type Store } from 'express-session'
import Fastify from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { PgSessionStore } from '../../../src/adapters/sessions/express'
import { PgSessionStore as FastifyPgSessionStore } from '../../../src/adapters/sessions/fastify'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema } from '../../support/bodies'
import { Browser, closed, listening } from '../../support/browser'
import { startFakeRedis } from '../../support/servers/fake-redis'
import { hasRedisServer, type Redis, startRedisServer } from '../../support/servers/redis'
import { documentOf, pgstash } from '../pgstash'

const secret = 'a secret of thirty-two characters or more'

/** As passport keeps a user. */
interface Login {
  passport?: { user: string }
  views?: number
}

type App = (store: object, maxAge: number | undefined) => Promise<RequestListener>

/** `/in/:user` logs in, `/view` says who it is and how often it was asked. */
const expressApp: App = async (store, maxAge) => {
  const app = express()
  const options = { secret, resave: false, saveUninitialized: false, cookie: maxAge === undefined ? {} : { maxAge } }
  app.use(session({ ...options, store: store as Store }))
  app.get('/in/:user', (req, res) => {
    const login = req.session as Login
    login.passport = { user: req.params.user }
    res.send('in')
  })
  app.get('/view', (req, res) => void res.send(seen(req.session as Login)))
  return app
}

const fastifyApp: App = async (store, maxAge) => {
  const app = Fastify()
  await app.register(fastifyCookie)
  const cookie = { secure: false, ...(maxAge === undefined ? {} : { maxAge }) }
  const options = { secret, cookie, saveUninitialized: false, store } as unknown as FastifySessionOptions
  await app.register(fastifySession, options)
  app.get<{ Params: { user: string } }>('/in/:user', async (request) => {
    const login = request.session as Login
    login.passport = { user: request.params.user }
    return 'in'
  })
  app.get('/view', async (request) => seen(request.session as Login))
  await app.ready()
  return (req, res) => app.routing(req, res)
}

function seen(login: Login): string {
  if (login.passport === undefined) return 'anonymous'
  login.views = (login.views ?? 0) + 1
  return `${login.passport.user} ${login.views}`
}

type PgStore = PgSessionStore | FastifyPgSessionStore
const userId = (of: object) => (of as Login).passport?.user

const hosts: [name: string, app: App, store: (stash: PgStash) => PgStore][] = [
  ['express-session', expressApp, (stash) => new PgSessionStore({ stash, userId })],
  ['@fastify/session', fastifyApp, (stash) => new FastifyPgSessionStore({ stash, userId })],
]

const bodies: [name: string, isHere: boolean, start: () => Promise<Redis>][] = [
  ['a redis-server', hasRedisServer, () => startRedisServer()],
  ['a fake of it', true, () => startFakeRedis()],
]

describe.each(bodies)('sessions of connect-redis in %s', (_, isHere, start) => {
  describe.runIf(isHere)('that is here', () => {
    let redis: Redis
    let server: Server
    let origin: string
    let app: RequestListener
    let stash: PgStash
    const connectTo = () => createClient({ url: redis.url }).on('error', () => {})
    let client: ReturnType<typeof connectTo>

    beforeAll(async () => {
      redis = await start()
      client = connectTo()
      await client.connect()
      server = createServer((req, res) => app(req, res)).listen(0, '127.0.0.1')
      origin = await listening(server)
    })
    beforeEach(() => {
      stash = new PgStash({ connectionString: inject('postgresUrl'), schema: freshSchema(), timeoutMs: 60_000 })
    })
    afterEach(async () => {
      await stash.close()
      await client.flushAll()
    })
    afterAll(async () => {
      client.destroy()
      await closed(server)
      await redis.close()
    })

    it.each(hosts)('%s: whoever is logged in stays so, and can be logged out', async (_host, make, open) => {
      app = await make(new RedisStore({ client }), 600_000)
      const [ada, bob, guest] = [new Browser(origin), new Browser(origin), new Browser(origin)]
      await ada.get('/in/ada')
      await bob.get('/in/bob')
      expect((await ada.get('/view')).text).toBe('ada 1')
      await client.set('views:1', 'no session')

      const place = ['--from', redis.url, '--schema', stash.schema, '--as', 'sessions', '--json', '--yes']
      const run = await pgstash(['import', ...place, '--user-field', 'passport.user'])
      expect(run.code, run.stderr).toBe(0)
      expect(documentOf(run)).toMatchObject({
        as: 'sessions',
        target: { namespace: 'session' },
        read: 2,
        written: 2,
        withUser: 2,
        skipped: {},
      })

      const store = open(stash)
      app = await make(store, 600_000)
      expect((await ada.get('/view')).text).toBe('ada 2')
      expect((await bob.get('/view')).text).toBe('bob 1')
      expect((await guest.get('/view')).text).toBe('anonymous')
      expect(await store.destroyByUser('ada')).toBe(1)
      expect((await ada.get('/view')).text).toBe('anonymous')
      expect((await bob.get('/view')).text).toBe('bob 2')
    })

    it.each(hosts)('%s: a cookie that ends with the browser, another prefix, a tenant', async (_host, make) => {
      app = await make(new RedisStore({ client, prefix: 'app:[s]:', ttl: 3_600 }), undefined)
      const ada = new Browser(origin)
      await ada.get('/in/ada')
      const place = ['--from', redis.url, '--schema', stash.schema, '--as', 'sessions', '--json', '--if-absent']
      const to = ['--strip-prefix', 'app:[s]:', '--tenant', 'acme', '--namespace', 'logins']
      const run = await pgstash(['import', ...place, ...to])
      expect(documentOf(run)).toMatchObject({ read: 1, written: 1, withUser: 0 })
      const store = new PgSessionStore({ stash, tenant: 'acme', namespace: 'logins' })
      const [only] = await store.all()
      expect(only?.cookie.expires ?? null).toBeNull()
      app = await make(store, undefined)
      expect((await ada.get('/view')).text).toBe('ada 1')
      expect(documentOf(await pgstash(['import', ...place, ...to]))).toMatchObject({ skipped: { present: 1 } })
      expect((await ada.get('/view')).text).toBe('ada 2')
    })
  })
})
