import { EventEmitter } from 'node:events'
import fastifyRateLimit from '@fastify/rate-limit'
import { Reflector } from '@nestjs/core'
import { ThrottlerGuard, type ThrottlerOptions, type ThrottlerStorage } from '@nestjs/throttler'
import { type Options, rateLimit, type Store } from 'express-rate-limit'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { type HonoConfigType, rateLimiter } from 'hono-rate-limiter'

/** How a request ends that was let in. */
export const endings = ['200', '401', '302', '500', 'hangs up', 'throws'] as const
export type Ending = (typeof endings)[number]

/** One process of an app with a limiter. */
export interface LimitedApp {
  /** A request begins: whether it is let in, with what the host says of it. */
  enter(key: string): Promise<Visit>
  close?(): Promise<void>
}

export interface Visit {
  readonly isIn: boolean
  readonly said: unknown
  /** It is answered, and whatever the host then does is done. A denied one may be answered late: its connection has others to answer first. */
  end(how: Ending): Promise<void>
}

const statusOf = (how: Ending) => (how === 'throws' || how === 'hangs up' ? 500 : Number(how))

const settled = async (pending: Promise<unknown>[]) => {
  await new Promise(setImmediate)
  await Promise.allSettled(pending.splice(0))
}

/** The store, with what it takes back noted: the hosts do not wait for that. */
function noting<Noted extends { decrement(key: string): unknown }>(store: Noted, pending: Promise<unknown>[]): Noted {
  const decrement = store.decrement.bind(store)
  store.decrement = (key: string) => {
    const done = Promise.resolve(decrement(key))
    pending.push(done)
    return done
  }
  return store
}

class Response extends EventEmitter {
  statusCode = 200
  headersSent = false
  writableEnded = false
  setHeader(): void {}
  append(): void {}
  status(code: number): this {
    this.statusCode = code
    return this
  }
  send(): this {
    this.writableEnded = true
    return this
  }
  redirect(code: number): this {
    return this.status(code).send()
  }
}

const silent = { error() {}, warn() {} }

/** express-rate-limit, its middleware called as Express does. */
export function expressApp(store: Store, options: Partial<Options>): LimitedApp {
  const pending: Promise<unknown>[] = []
  const middleware = rateLimit({
    windowMs: 60_000,
    keyGenerator: (req) => (req as unknown as { key: string }).key,
    logger: silent,
    validate: false,
    ...options,
    store: noting(store, pending),
  })
  return {
    async enter(key) {
      const req = { key, ip: '127.0.0.1', headers: {}, app: { get: () => false } } as Record<string, unknown>
      const res = new Response()
      res.on('error', () => {})
      let isIn = false
      let failure: unknown
      const next = (error?: unknown) => {
        isIn = error === undefined
        failure = error
      }
      await middleware(req as never, res as never, next)
      if (failure !== undefined) res.status(500).send()
      const { used, limit } = (req.rateLimit ?? {}) as { used: number; limit: number }
      const end = async (how: Ending) => {
        if (isIn && how === 'throws') res.emit('error', new Error(how))
        if (isIn && how !== 'hangs up') res.status(statusOf(how)).send()
        if (res.writableEnded) res.emit('finish')
        res.emit('close')
        await settled(pending)
      }
      return { isIn, said: failure === undefined ? { used, left: Math.max(0, limit - used) } : 'failed', end }
    },
  }
}

/** What a handler waits for: how its request ends. */
class Doors {
  readonly #entered = new Map<string, (end: (how: Ending) => void) => void>()
  #next = 0

  /** Sends a request; answers when it is let in, or answered. */
  async knock(
    send: (id: string) => Promise<unknown>,
  ): Promise<{ end?: (how: Ending) => void; answer: Promise<unknown> }> {
    const id = String(this.#next++)
    const entered = new Promise<(how: Ending) => void>((resolve) => this.#entered.set(id, resolve))
    const answer = send(id)
    const end = await Promise.race([entered, answer.then(() => undefined)])
    return end === undefined ? { answer } : { end, answer }
  }

  /** The handler, let in. */
  wait(id: string): Promise<Ending> {
    return new Promise((resolve) => this.#entered.get(id)?.(resolve))
  }
}

/** hono-rate-limiter, in an app without a server. */
export function honoApp(store: unknown, options: object): LimitedApp {
  const pending: Promise<unknown>[] = []
  const doors = new Doors()
  const app = new Hono<{ Variables: { rateLimit: { used: number; remaining: number } } }>()
  const said = new Map<string, unknown>()
  app.use(async (c, next) => {
    await next()
    said.set(c.req.header('x-id') as string, c.get('rateLimit'))
  })
  const config = {
    windowMs: 60_000,
    keyGenerator: (c: { req: { header(name: string): string } }) => c.req.header('x-key'),
    ...options,
    store: noting(store as { decrement(key: string): unknown }, pending),
  }
  app.use(rateLimiter(config as unknown as HonoConfigType))
  app.onError((_, c) => c.text('failed', 500))
  app.get('/', async (c) => {
    const limit = c.get('rateLimit')
    said.set(c.req.header('x-id') as string, limit)
    const how = await doors.wait(c.req.header('x-id') as string)
    if (how === 'throws' || how === 'hangs up') throw new Error(how)
    return c.body(null, statusOf(how) as 200)
  })
  return {
    async enter(key) {
      let id = ''
      const { end, answer } = await doors.knock((given) => {
        id = given
        return Promise.resolve(app.request('/', { headers: { 'x-key': key, 'x-id': given } }))
      })
      const { used, remaining } = (said.get(id) ?? {}) as { used: number; remaining: number }
      return {
        isIn: end !== undefined,
        said: { used, left: remaining },
        end: async (how) => {
          end?.(how)
          await answer
          await settled(pending)
        },
      }
    },
  }
}

/** @fastify/rate-limit, in an app without a server. It takes nothing back. */
export async function fastifyApp(store: unknown, options: object): Promise<LimitedApp> {
  const app = Fastify()
  const keyGenerator = (request: { headers: Record<string, unknown> }) => request.headers['x-key']
  const own = store === undefined ? {} : { store }
  await app.register(fastifyRateLimit, { timeWindow: 60_000, keyGenerator, ...options, ...own } as never)
  app.get('/', async () => 'yes')
  await app.ready()
  return {
    async enter(key) {
      const { statusCode, headers } = await app.inject({ url: '/', headers: { 'x-key': key } })
      return {
        isIn: statusCode === 200,
        said: { statusCode, left: headers['x-ratelimit-remaining'] },
        end: async () => {},
      }
    },
    close: () => app.close(),
  }
}

/** @nestjs/throttler, its guard called as Nest does. It takes nothing back. */
export async function nestApp(storage: ThrottlerStorage, options: ThrottlerOptions): Promise<LimitedApp> {
  class Pages {}
  const generateKey = (_: unknown, tracker: string) => tracker
  const throttlers = [{ getTracker: (req: Record<string, unknown>) => req.key as string, generateKey, ...options }]
  const guard = new ThrottlerGuard({ throttlers } as never, storage, new Reflector())
  await guard.onModuleInit()
  return {
    async enter(key) {
      const headers: Record<string, unknown> = {}
      const response = { header: (name: string, value: unknown) => (headers[name] = value) }
      const context = {
        getHandler: () => Pages,
        getClass: () => Pages,
        switchToHttp: () => ({ getRequest: () => ({ key, headers: {} }), getResponse: () => response }),
      }
      const isIn = await guard.canActivate(context as never).catch(() => false)
      return { isIn, said: { left: headers['X-RateLimit-Remaining'] }, end: async () => {} }
    },
  }
}
