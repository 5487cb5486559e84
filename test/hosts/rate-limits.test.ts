import 'reflect-metadata'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Server } from 'node:http'
import rateLimit from '@fastify/rate-limit'
import { serve } from '@hono/node-server'
import { Controller, Get, type INestApplication, Module } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler'
import express from 'express'
import { rateLimit as expressRateLimit, MemoryStore, type Options, type Store } from 'express-rate-limit'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { rateLimiter } from 'hono-rate-limiter'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PgRateLimitStore } from '../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { PgThrottlerStorage } from '../../src/adapters/nestjs-throttler'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describePostgres, describeStrictDefaults } from '../support/bodies'
import { Browser, closed, listening } from '../support/browser'
import { sleep } from '../support/sleep'

interface App {
  readonly origin: string
  close(): Promise<void>
}

/** Options of a limiter as each host has them: a limit, a window, and what it is counted by. */
interface AppOptions {
  readonly stash: PgStash
  readonly prefix: string
  readonly limit: number
  readonly windowMs: number
  readonly tenant?: () => string | undefined
}

const tenants = new AsyncLocalStorage<string>()

async function expressApp({ stash, prefix, limit, windowMs, tenant }: AppOptions): Promise<App> {
  const app = express()
  app.use((req, _res, next) => tenants.run(req.get('x-tenant') ?? 'default', next))
  const store = new PgRateLimitStore({ stash, prefix, tenant })
  const keyGenerator = (req: { headers: Record<string, unknown> }) => String(req.headers['x-user'])
  app.use(expressRateLimit({ store, limit, windowMs, keyGenerator, standardHeaders: 'draft-8', legacyHeaders: false }))
  app.get('/', (_req, res) => void res.send('yes'))
  const server = app.listen(0, '127.0.0.1')
  return { origin: await listening(server), close: () => closed(server) }
}

async function honoApp({ stash, prefix, limit, windowMs, tenant }: AppOptions): Promise<App> {
  const app = new Hono()
  app.use((c, next) => tenants.run(c.req.header('x-tenant') ?? 'default', next))
  const store = new PgRateLimitStore({ stash, prefix, tenant })
  app.use(rateLimiter({ store, limit, windowMs, keyGenerator: (c) => c.req.header('x-user') as string }))
  app.get('/', (c) => c.text('yes'))
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  return { origin: await listening(server), close: () => closed(server) }
}

async function fastifyApp({ stash, prefix, limit, windowMs, tenant }: AppOptions): Promise<App> {
  const app = Fastify({ forceCloseConnections: true })
  app.addHook('onRequest', (request, _reply, done) => {
    tenants.run((request.headers['x-tenant'] as string | undefined) ?? 'default', done)
  })
  const store = fastifyRateLimitStore({ stash, prefix, tenant })
  const keyGenerator = (request: { headers: Record<string, unknown> }) => String(request.headers['x-user'])
  await app.register(rateLimit, { store: store as never, max: limit, timeWindow: windowMs, keyGenerator })
  app.get('/', async () => 'yes')
  return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
}

async function nestApp({ stash, prefix, limit, windowMs, tenant }: AppOptions): Promise<App> {
  class Pages {
    page(): string {
      return 'yes'
    }
  }
  // As decorators would: Vite's compiler makes no metadata of parameters, and none is needed here.
  Get()(Pages.prototype, 'page', Object.getOwnPropertyDescriptor(Pages.prototype, 'page') as PropertyDescriptor)
  Controller()(Pages)
  class Root {}
  Module({
    imports: [
      ThrottlerModule.forRoot({
        throttlers: [{ limit, ttl: windowMs }],
        storage: new PgThrottlerStorage({ stash, prefix, tenant }),
        getTracker: (req) => String(req.headers['x-user']),
      }),
    ],
    controllers: [Pages],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
  })(Root)
  const app: INestApplication = await NestFactory.create(Root, { logger: false })
  app.use((req: { headers: Record<string, string> }, _res: unknown, next: () => void) =>
    tenants.run(req.headers['x-tenant'] ?? 'default', next),
  )
  await app.listen(0, '127.0.0.1')
  const server = app.getHttpServer() as Server
  return {
    origin: await listening(server),
    close: async () => {
      server.closeAllConnections()
      await app.close()
    },
  }
}

const hosts = {
  'express-rate-limit': expressApp,
  'hono-rate-limiter': honoApp,
  '@fastify/rate-limit': fastifyApp,
  '@nestjs/throttler': nestApp,
} as const

/** @param isShallow without what takes seconds, and has nothing to do with the database */
function suite(body: Body, isolation: 'column' | 'rls', isShallow = false): void {
  let stash: PgStash
  const apps: App[] = []

  beforeAll(async () => {
    stash = isolation === 'rls' ? await body.openIsolated() : body.open()
    await stash.ready()
  })

  afterAll(async () => {
    for (const app of apps) await app.close()
  })

  type Host = keyof typeof hosts
  const names = Object.keys(hosts) as Host[]
  const openerOf =
    (name: Host) =>
    async (options: Pick<AppOptions, 'limit' | 'windowMs' | 'prefix'> & Partial<AppOptions>): Promise<string> => {
      const app = await hosts[name]({ stash, ...options, prefix: `${name}-${options.prefix}` })
      apps.push(app)
      return app.origin
    }

  // All hosts at once: it is waiting.
  describe.concurrent.each(names)('%s', (name) => {
    const open = openerOf(name)

    it.skipIf(isShallow)('lets in again when the window is over', async () => {
      const origin = await open({ prefix: 'brief', limit: 1, windowMs: 1_000 })
      const ada = new Browser(origin, { 'x-user': 'ada' })
      expect((await ada.get('/')).status).toBe(200)
      expect((await ada.get('/')).status).toBe(429)
      await sleep(2_050)
      expect((await ada.get('/')).status).toBe(200)
    })
  })

  describe.each(names)('%s', (name) => {
    const open = openerOf(name)

    it('lets in as many as the limit, and says when to come again', async () => {
      const origin = await open({ prefix: 'few', limit: 3, windowMs: 60_000 })
      const [ada, grace] = [new Browser(origin, { 'x-user': 'ada' }), new Browser(origin, { 'x-user': 'grace' })]
      const statuses = []
      for (let request = 0; request < 5; request += 1) statuses.push((await ada.get('/')).status)
      expect(statuses).toEqual([200, 200, 200, 429, 429])
      const denied = await ada.get('/')
      const retryAfter = Number(denied.headers.get('retry-after'))
      expect(retryAfter).toBeGreaterThan(50)
      expect(retryAfter).toBeLessThanOrEqual(60)
      expect((await grace.get('/')).text).toBe('yes')
    })

    it('lets in exactly as many of a crowd', async () => {
      const origin = await open({ prefix: 'crowd', limit: 40, windowMs: 60_000 })
      const pages = await Promise.all(
        Array.from({ length: 100 }, () => new Browser(origin, { 'x-user': 'ada' }).get('/')),
      )
      expect(pages.filter(({ status }) => status === 200)).toHaveLength(40)
    })

    it('counts for two instances of the app together', async () => {
      const [one, two] = [
        await open({ prefix: 'shared', limit: 4, windowMs: 60_000 }),
        await open({ prefix: 'shared', limit: 4, windowMs: 60_000 }),
      ]
      const statuses = []
      for (const origin of [one, two, one, two, one, two]) {
        statuses.push((await new Browser(origin, { 'x-user': 'ada' }).get('/')).status)
      }
      expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
    })

    it('counts for each tenant apart', async () => {
      const origin = await open({ prefix: 'tenants', limit: 1, windowMs: 60_000, tenant: () => tenants.getStore() })
      const statuses = []
      for (const tenant of ['acme', 'acme', 'globex', 'globex']) {
        statuses.push((await new Browser(origin, { 'x-user': 'ada', 'x-tenant': tenant }).get('/')).status)
      }
      expect(statuses).toEqual([200, 429, 200, 429])
    })
  })
}

for (const isolation of ['column', 'rls'] as const) {
  const title = `rate limits over HTTP, tenants apart by ${isolation}`
  describePostgres(title, (body) => suite(body, isolation))
  describeStrictDefaults(title, (body) => suite(body, isolation, true))
}

/** What express-rate-limit says of a store, and what its MemoryStore does; a limit of 3. */
function rateLimitStoreContract(open: () => Promise<Store>): void {
  let store: Store
  const totals = async (key: string, hits: number) => {
    const found = []
    for (let hit = 0; hit < hits; hit += 1) found.push((await store.increment(key)).totalHits)
    return found
  }

  beforeAll(async () => {
    store = await open()
    store.init?.({ windowMs: 60_000, limit: 3 } as Options)
  })

  it('counts from one', async () => {
    expect(await totals('counts', 5)).toEqual([1, 2, 3, 4, 5])
    const { resetTime } = await store.increment('counts')
    const left = (resetTime as Date).getTime() - Date.now()
    expect(left).toBeGreaterThan(55_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })

  it('takes back, also what was over the limit, and never below none', async () => {
    await totals('back', 5)
    await store.decrement('back')
    expect(await totals('back', 1)).toEqual([5])
    for (let hit = 0; hit < 9; hit += 1) await store.decrement('back')
    expect(await totals('back', 2)).toEqual([1, 2])
  })

  it('tells what it counted', async () => {
    expect(await store.get?.('told')).toBeUndefined()
    await totals('told', 2)
    expect((await store.get?.('told'))?.totalHits).toBe(2)
  })

  it('forgets one, and all', async () => {
    await totals('one', 4)
    await totals('two', 4)
    await store.resetKey('one')
    expect(await totals('one', 1)).toEqual([1])
    expect(await totals('two', 1)).toEqual([5])
    await store.resetAll?.()
    expect(await totals('one', 1)).toEqual([1])
    expect(await totals('two', 1)).toEqual([1])
  })
}

describe("express-rate-limit's MemoryStore", () => {
  rateLimitStoreContract(async () => new MemoryStore())
})

describeStrictDefaults('PgRateLimitStore', (body) => {
  rateLimitStoreContract(async () => new PgRateLimitStore({ stash: body.open() }))
})

describePostgres('PgRateLimitStore', (body) => {
  describe('of a known limit', () => {
    rateLimitStoreContract(async () => new PgRateLimitStore({ stash: body.open() }))
  })

  describe('of a limit that only the host knows', () => {
    rateLimitStoreContract(async () => {
      const store = new PgRateLimitStore({ stash: body.open() })
      const init = store.init.bind(store)
      store.init = ({ windowMs }) => init({ windowMs, limit: () => 3 })
      return store
    })
  })

  it('counts only failures where the host takes successes back, and stays shut', async () => {
    const app = express()
    const store = new PgRateLimitStore({ stash: body.open(), prefix: 'failures' })
    app.use(
      expressRateLimit({ store, limit: 2, windowMs: 60_000, skipSuccessfulRequests: true, keyGenerator: () => 'x' }),
    )
    app.get('/:status', (req, res) => void res.sendStatus(Number(req.params.status)))
    const server = app.listen(0, '127.0.0.1')
    const browser = new Browser(await listening(server))
    const statuses = []
    for (const status of [200, 200, 200, 401, 200, 401, 200, 200]) {
      statuses.push((await browser.get(`/${status}`)).status)
      // The host takes back after it has answered.
      await sleep(30)
    }
    expect(statuses).toEqual([200, 200, 200, 401, 200, 401, 429, 429])
    await closed(server)
  })

  it('lets an app without a limit of failures alone: what is denied is taken back, and gives nobody another try', async () => {
    const app = express()
    const store = new PgRateLimitStore({ stash: body.open(), prefix: 'successes' })
    app.use(expressRateLimit({ store, limit: 2, windowMs: 60_000, skipFailedRequests: true, keyGenerator: () => 'x' }))
    app.get('/:status', (req, res) => void res.sendStatus(Number(req.params.status)))
    const server = app.listen(0, '127.0.0.1')
    const browser = new Browser(await listening(server))
    const statuses = []
    for (const status of [401, 200, 401, 200, 200, 200, 200]) {
      statuses.push((await browser.get(`/${status}`)).status)
      await sleep(30)
    }
    expect(statuses).toEqual([401, 200, 401, 200, 429, 429, 429])
    await closed(server)
  })
})

describePostgres('fastifyRateLimitStore', (body) => {
  const appOf = async (options: object, route: object = {}) => {
    const app = Fastify({ forceCloseConnections: true })
    const store = fastifyRateLimitStore({ stash: body.open() })
    await app.register(rateLimit, { store: store as never, max: 2, timeWindow: 1_000, ...options } as never)
    app.get('/', async () => 'yes')
    app.get('/own', { config: { rateLimit: route } }, async () => 'own')
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return { app, get: async (path = '/') => (await new Browser(origin).get(path)).status }
  }

  it('counts a route with limits of its own apart', async () => {
    const { app, get } = await appOf({}, { max: 1, timeWindow: 60_000 })
    expect([await get('/own'), await get('/own'), await get(), await get(), await get()]).toEqual([
      200, 429, 200, 200, 429,
    ])
    await app.close()
  })

  it('bans whoever goes on', async () => {
    const { app, get } = await appOf({ ban: 2, timeWindow: 60_000 })
    const statuses = []
    for (let request = 0; request < 7; request += 1) statuses.push(await get())
    expect(statuses).toEqual([200, 200, 429, 429, 403, 403, 403])
    await app.close()
  })

  it.concurrent('keeps out whoever continues', async () => {
    const { app, get } = await appOf({ continueExceeding: true })
    for (let request = 0; request < 3; request += 1) await get()
    for (let request = 0; request < 3; request += 1) {
      await sleep(600)
      expect(await get()).toBe(429)
    }
    await sleep(1_050)
    expect(await get()).toBe(200)
    await app.close()
  })

  it.concurrent('keeps out whoever continues, and longer each time', async () => {
    const { app, get } = await appOf({ exponentialBackoff: true })
    for (let request = 0; request < 4; request += 1) await get()
    await sleep(1_100)
    expect(await get()).toBe(429)
    await app.close()
  })

  it('reads that somebody has exceeded', async () => {
    const Store = fastifyRateLimitStore({ stash: body.open() })
    const store = new Store()
    const ask = (verb: 'incr' | 'read') =>
      new Promise<{ current: number; ttl: number }>((resolve, reject) =>
        store[verb]('k', (error, answer) => (error ? reject(error) : resolve(answer as never)), 60_000, 3),
      )
    for (let hit = 0; hit < 3; hit += 1) await ask('incr')
    expect((await ask('read')).current).toBe(3)
    expect((await ask('incr')).current).toBe(4)
    expect((await ask('read')).current).toBe(4)
  })

  it('counts whatever the algorithm where the host bans, and apart for handlers made by hand', async () => {
    const Store = fastifyRateLimitStore({ stash: body.open(), algorithm: 'gcra' })
    const incr = (store: { incr: InstanceType<typeof Store>['incr'] }, max: number, windowMs = 60_000) =>
      new Promise<number>((resolve, reject) =>
        store.incr('k', (error, answer) => (error ? reject(error) : resolve(answer?.current as number)), windowMs, max),
      )
    const banning = new Store({ ban: 2 })
    for (let hit = 1; hit <= 9; hit += 1) expect(await incr(banning, 5)).toBe(hit)
    const [one, two] = [banning.child({ ban: 2, routeInfo: {} }), banning.child({ ban: 2, routeInfo: {} })]
    expect([await incr(one, 5), await incr(one, 5), await incr(two, 5)]).toEqual([1, 2, 1])
    const odd = banning.child({ ban: 2, routeInfo: { method: 'GET', url: `/${'x'.repeat(2_000)}@v1` } })
    expect(await incr(odd, 5, 1_500.5)).toBe(1)
    let left = 60_000
    const moving = new Store({ ban: 2, timeWindow: () => left })
    for (let hit = 1; hit <= 5; hit += 1)
      expect(
        await incr(
          moving.child({ ban: 2, timeWindow: () => left, routeInfo: { method: 'GET', url: '/moving' } }),
          5,
          left--,
        ),
      ).toBe(hit)
  })

  it('reads without counting', async () => {
    const app = Fastify({ forceCloseConnections: true })
    const store = fastifyRateLimitStore({ stash: body.open() })
    await app.register(rateLimit, { store: store as never, global: false })
    app.get('/', async (request) => {
      const check = app.createRateLimit({ max: 2, timeWindow: 60_000 })
      return check(request, { increment: false })
    })
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    for (let request = 0; request < 4; request += 1) {
      expect(JSON.parse((await new Browser(origin).get('/')).text)).toMatchObject({ remaining: 2, isExceeded: false })
    }
    await app.close()
  })
})

describePostgres('PgThrottlerStorage', (body) => {
  it.concurrent('blocks for its own time, and begins anew after it', async () => {
    const storage = new PgThrottlerStorage({ stash: body.open() })
    const hit = () => storage.increment('k', 60_000, 2, 1_000, 'default')
    expect(await hit()).toEqual({ totalHits: 1, timeToExpire: 60, isBlocked: false, timeToBlockExpire: 0 })
    expect(await hit()).toMatchObject({ totalHits: 2, isBlocked: false })
    expect(await hit()).toMatchObject({ totalHits: 3, isBlocked: true, timeToBlockExpire: 1 })
    expect(await hit()).toMatchObject({ totalHits: 3, isBlocked: true })
    await sleep(1_050)
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false })
  })

  it.concurrent('without a block denies until the window ends', async () => {
    const storage = new PgThrottlerStorage({ stash: body.open() })
    const hit = () => storage.increment('k', 1_000, 1, 0, 'default')
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false })
    expect(await hit()).toMatchObject({ totalHits: 2, isBlocked: true, timeToBlockExpire: 1 })
    await sleep(1_050)
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false })
  })

  it('counts by the name of the throttler', async () => {
    const storage = new PgThrottlerStorage({ stash: body.open() })
    expect(await storage.increment('k', 60_000, 1, 0, 'short')).toMatchObject({ isBlocked: false })
    expect(await storage.increment('k', 60_000, 1, 0, 'long')).toMatchObject({ isBlocked: false })
  })
})
