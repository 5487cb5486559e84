import 'reflect-metadata'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import fastifyRateLimit from '@fastify/rate-limit'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Controller, Get, Module } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { rateLimiter } from 'hono-rate-limiter'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PgRateLimitStore } from '../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { PgThrottlerStorage } from '../../src/adapters/nestjs-throttler'
import { addressKey } from '../../src/stash/limits/address-key'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../src/stash/pg-stash'
import { describePostgres, freshSchema } from '../support/bodies'
import { closed, listening } from '../support/browser'

/** Whether a limiter lets in whoever comes from an address. */
interface Door {
  lets(ip: string): Promise<boolean>
  close?(): Promise<void>
}

const limit = 3
const windowMs = 600_000

/** An app that trusts its proxy, which says where a request came from. */
function behindProxy(origin: string, close: () => Promise<void>): Door {
  const lets = async (ip: string) => {
    const { status } = await fetch(origin, { headers: { 'x-forwarded-for': ip } })
    if (status === 200 || status === 429) return status === 200
    throw new Error(`answered ${status}`)
  }
  return { lets, close }
}

type KeyGenerator = (req: { ip?: string | undefined }) => string

async function expressDoor(stash: PgStash, keyGenerator?: KeyGenerator): Promise<Door> {
  const app = express().set('trust proxy', true)
  const store = new PgRateLimitStore({ stash, prefix: freshSchema() })
  app.use(rateLimit({ store, limit, windowMs, validate: { trustProxy: false }, ...(keyGenerator && { keyGenerator }) }))
  app.get('/', (_req, res) => void res.send('yes'))
  const server = app.listen(0, '127.0.0.1')
  return behindProxy(await listening(server), () => closed(server))
}

async function fastifyDoor(stash: PgStash, keyGenerator?: KeyGenerator): Promise<Door> {
  const app = Fastify({ trustProxy: true, forceCloseConnections: true })
  const store = fastifyRateLimitStore({ stash, prefix: freshSchema() }) as never
  await app.register(fastifyRateLimit, {
    store,
    max: limit,
    timeWindow: windowMs,
    ...(keyGenerator && { keyGenerator }),
  })
  app.get('/', async () => 'yes')
  return behindProxy(await app.listen({ port: 0, host: '127.0.0.1' }), () => app.close())
}

async function nestDoor(stash: PgStash, getTracker?: (req: Record<string, unknown>) => string): Promise<Door> {
  class Pages {
    page(): string {
      return 'yes'
    }
  }
  Get()(Pages.prototype, 'page', Object.getOwnPropertyDescriptor(Pages.prototype, 'page') as PropertyDescriptor)
  Controller()(Pages)
  class Root {}
  const storage = new PgThrottlerStorage({ stash, prefix: freshSchema() })
  const throttler = ThrottlerModule.forRoot({
    throttlers: [{ limit, ttl: windowMs }],
    storage,
    ...(getTracker && { getTracker }),
  })
  Module({ imports: [throttler], controllers: [Pages], providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }] })(
    Root,
  )
  const app = await NestFactory.create<NestExpressApplication>(Root, { logger: false })
  app.set('trust proxy', true)
  await app.listen(0, '127.0.0.1')
  const server = app.getHttpServer()
  return behindProxy(await listening(server), async () => {
    server.closeAllConnections()
    await app.close()
  })
}

/** Hono leaves the address to the app: `getConnInfo` of its server reads it from the socket. */
function honoDoor(stash: PgStash): Door {
  const app = new Hono()
  const store = new PgRateLimitStore({ stash, prefix: freshSchema() })
  app.use(rateLimiter({ store, limit, windowMs, keyGenerator: (c) => addressKey(getConnInfo(c).remote.address) }))
  app.get('/', (c) => c.text('yes'))
  const from = (remoteAddress: string) => ({ incoming: { socket: { remoteAddress } } })
  return { lets: async (ip) => (await app.request('/', {}, from(ip))).status === 200 }
}

function loginDoor(stash: PgStash): Door {
  const logins = new LoginLimiter({ stash, name: freshSchema(), attempts: limit })
  let users = 0
  return {
    lets: async (ip) => {
      users += 1
      return (await logins.begin({ username: `user-${users}`, ip })).isAllowed
    },
  }
}

function ownDoor(stash: PgStash): Door {
  const limiter = new RateLimiter({ stash, name: freshSchema(), limit, windowMs })
  return { lets: async (ip) => (await limiter.consume(addressKey(ip))).isAllowed }
}

const places = (at: number) => (at + 1).toString(16)
const crowd = (write: (at: string) => string) => Array.from({ length: limit + 3 }, (_, at) => write(places(at)))

/** Addresses of one caller: more than the limit lets in. */
const callers = {
  'a network of /64': crowd((at) => `2001:db8:1:ab01:${at}:${at}::${at}`),
  'a household of /56': crowd((at) => `2001:db8:2:ab0${at}::1`),
  'IPv4, mapped or not': ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
  'one address of IPv6, differently written': [
    '2001:db8:3::a',
    '2001:DB8:3::A',
    '2001:0db8:0003:0:0:0:0:a',
    '2001:db8:3:0000::0.0.0.10',
    '2001:db8:3::000a',
  ],
  'ports, brackets and zones': [
    '192.0.2.2:1',
    '192.0.2.2:2',
    '[::ffff:192.0.2.2]:3',
    '192.0.2.2',
    '::ffff:192.0.2.2%eth0',
  ],
  'IPv4 before a server of IPv6': [
    '64:ff9b::192.0.2.3',
    '192.0.2.3',
    '64:ff9b::c000:203',
    '2002:c000:203::1',
    '2002:c000:203:ff::1',
  ],
} as const

type Caller = keyof typeof callers

const all = Object.keys(callers) as Caller[]

/** What the hosts' own default tells. */
const common: readonly Caller[] = [
  'a network of /64',
  'IPv4, mapped or not',
  'one address of IPv6, differently written',
]

const doors: readonly (readonly [
  name: string,
  open: (stash: PgStash) => Promise<Door> | Door,
  knows: readonly Caller[],
])[] = [
  ['LoginLimiter', loginDoor, all],
  ['RateLimiter, by addressKey', ownDoor, all],
  ['express-rate-limit', expressDoor, [...common, 'a household of /56']],
  ['express-rate-limit, by addressKey', (stash) => expressDoor(stash, ({ ip }) => addressKey(ip)), all],
  ['@fastify/rate-limit', fastifyDoor, common],
  ['@fastify/rate-limit, by addressKey', (stash) => fastifyDoor(stash, ({ ip }) => addressKey(ip)), all],
  ['@nestjs/throttler', nestDoor, common],
  ['@nestjs/throttler, by addressKey', (stash) => nestDoor(stash, ({ ip }) => addressKey(ip as string)), all],
  ['hono-rate-limiter, by addressKey', honoDoor, all],
]

describePostgres('callers with many names', (body) => {
  let stash: PgStash

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  describe.each(doors)('%s', (_name, open, knows) => {
    let door: Door

    beforeAll(async () => {
      door = await open(stash)
    })

    afterAll(async () => door.close?.())

    it.each(knows)('counts as one caller: %s', async (caller) => {
      const answers = []
      for (const ip of callers[caller]) answers.push(await door.lets(ip))
      expect(answers).toEqual(answers.map((_, at) => at < limit))
    })

    it('counts others for themselves', async () => {
      for (const ip of ['192.0.2.200', '192.0.2.201', '2001:db8:9::1', '2001:db8:a::1'])
        expect(await door.lets(ip)).toBe(true)
    })
  })

  describe.skipIf(process.platform === 'win32')('behind a unix socket, where no caller has an address', () => {
    let directory: string
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'pgstash-'))
    })
    afterAll(() => rm(directory, { recursive: true }))

    const expressOn = async (path: string, keyGenerator?: KeyGenerator) => {
      const app = express()
      const store = new PgRateLimitStore({ stash, prefix: freshSchema() })
      // It warns that there is no address, and counts.
      app.use(rateLimit({ store, limit, windowMs, validate: false, ...(keyGenerator && { keyGenerator }) }))
      app.get('/', (req, res) => void res.send(String(req.ip)))
      const server = app.listen(path)
      await once(server, 'listening')
      return () => closed(server)
    }
    const fastifyOn = async (path: string, keyGenerator?: KeyGenerator) => {
      const app = Fastify({ forceCloseConnections: true })
      const store = fastifyRateLimitStore({ stash, prefix: freshSchema() }) as never
      const by = keyGenerator && { keyGenerator }
      await app.register(fastifyRateLimit, { store, max: limit, timeWindow: windowMs, ...by })
      app.get('/', async (req) => String(req.ip))
      await app.listen({ path })
      return () => app.close()
    }

    it.each([
      ['express-rate-limit', expressOn, undefined],
      ['express-rate-limit, by addressKey', expressOn, ({ ip }: { ip?: string | undefined }) => addressKey(ip)],
      // By itself it answers 500, whatever its store: it takes an address apart that is not there.
      ['@fastify/rate-limit, by addressKey', fastifyOn, ({ ip }: { ip?: string | undefined }) => addressKey(ip)],
    ])('%s counts them together', async (_, open, keyGenerator) => {
      const path = join(directory, `${freshSchema()}.sock`)
      const close = await open(path, keyGenerator)
      const pages = []
      for (let request = 0; request < limit + 2; request += 1) pages.push(await getThrough(path))
      expect(pages[0]).toEqual([200, 'undefined'])
      expect(pages.map(([status]) => status)).toEqual([200, 200, 200, 429, 429])
      await close()
    })
  })
})

/** Status and text of `/`, over a socket of its own. */
async function getThrough(socketPath: string): Promise<[status: number | undefined, text: string]> {
  const asked = request({ socketPath, path: '/', agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return [response.statusCode, await text(response)]
}
