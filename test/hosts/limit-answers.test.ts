import 'reflect-metadata'
import { ThrottlerStorageService } from '@nestjs/throttler'
import { MemoryStore } from 'express-rate-limit'
import { MemoryStore as HonoMemoryStore } from 'hono-rate-limiter'
import { beforeAll, describe, expect, it } from 'vitest'
import { PgRateLimitStore } from '../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { PgThrottlerStorage } from '../../src/adapters/nestjs-throttler'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describePostgres, describeStrictDefaults } from '../support/bodies'
import { rounds } from '../support/depth'
import {
  type Ending,
  endings,
  expressApp,
  fastifyApp,
  honoApp,
  type LimitedApp,
  nestApp,
  type Visit,
} from '../support/limit-hosts'

/** Of each option, in one process and in two: some hundreds for each host, some thousands where they are deep; PGSTASH_SEQUENCES=200 for a long look. */
const sequences = Number(process.env.PGSTASH_SEQUENCES ?? rounds({ shallow: 8, deep: 60 }))
const stepsOfOne = 16

/** The same numbers at every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) % below
  }
}

interface Step {
  /** Where a request begins; undefined: one that is open ends. */
  readonly at: number | undefined
  readonly pick: number
  readonly how: Ending
}

function sequenceOf(seed: number): Step[] {
  const random = randomFrom(seed)
  return Array.from({ length: stepsOfOne }, () => ({
    at: random(5) < 3 ? random(2) : undefined,
    pick: random(1_000),
    how: endings[random(endings.length)] as Ending,
  }))
}

/** One sequence on an app, step by step; what it saw. */
class Run {
  readonly seen: unknown[] = []
  readonly #open: Visit[] = []

  constructor(
    readonly apps: readonly LimitedApp[],
    readonly key: string,
    readonly steps: readonly Step[],
  ) {}

  async take(at: number): Promise<void> {
    const { at: app, pick, how } = this.steps[at] as Step
    if (app === undefined) {
      const [visit] = this.#open.splice(pick % Math.max(1, this.#open.length), 1)
      return visit?.end(how)
    }
    const visit = await (this.apps[app % this.apps.length] as LimitedApp).enter(this.key)
    this.seen.push({ isIn: visit.isIn, said: visit.said })
    this.#open.push(visit)
  }

  async finish(): Promise<void> {
    for (const visit of this.#open) await visit.end('200')
  }
}

async function runAll(apps: readonly LimitedApp[]): Promise<unknown[][]> {
  const runs = Array.from({ length: sequences }, (_, seed) => new Run(apps, `key-${seed}`, sequenceOf(seed + 1)))
  for (let step = 0; step < stepsOfOne; step += 1) await Promise.all(runs.map((run) => run.take(step)))
  await Promise.all(runs.map((run) => run.finish()))
  for (const app of apps) await app.close?.()
  return runs.map(({ seen }) => seen)
}

/** Where hits over the limit stay in the process that denied them, each process knows its own only. */
const withoutUsed = (runs: unknown[][]) =>
  runs.map((seen) => seen.map((one) => ({ ...(one as object), said: { ...(one as { said: object }).said, used: 0 } })))

const parity = (key: string) => (Number(key.slice(4)) % 2 === 0 ? 2 : 4)

/** Of express-rate-limit and hono-rate-limiter alike. */
const common = {
  'nothing special': { limit: 3 },
  skipFailedRequests: { limit: 3, skipFailedRequests: true },
  skipSuccessfulRequests: { limit: 3, skipSuccessfulRequests: true },
  'both of them': { limit: 3, skipFailedRequests: true, skipSuccessfulRequests: true },
  'a limit of 0, skipSuccessfulRequests': { limit: 0, skipSuccessfulRequests: true },
  'a limit of 2.5': { limit: 2.5 },
  'a limit of -1, skipFailedRequests': { limit: -1, skipFailedRequests: true },
  'a limit of Infinity': { limit: Number.POSITIVE_INFINITY },
}

const express: Record<string, object> = {
  ...common,
  'only 401 fails, skipSuccessfulRequests': {
    limit: 5,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_: unknown, res: { statusCode: number }) => res.statusCode !== 401,
  },
  'only 200 succeeds, found out late, skipFailedRequests': {
    limit: 3,
    skipFailedRequests: true,
    requestWasSuccessful: async (_: unknown, res: { statusCode: number }) => res.statusCode === 200,
  },
  'requestWasSuccessful throws': {
    limit: 3,
    skipSuccessfulRequests: true,
    requestWasSuccessful: () => Promise.reject(new Error('no')),
  },
  'a handler that redirects, skipSuccessfulRequests': {
    limit: 3,
    skipSuccessfulRequests: true,
    handler: (_: unknown, res: { redirect(code: number): void }) => res.redirect(302),
  },
  'a handler that answers 200, both': {
    limit: 3,
    skipSuccessfulRequests: true,
    skipFailedRequests: true,
    handler: (_: unknown, res: { status(code: number): { send(): void } }) => res.status(200).send(),
  },
  'a handler that lets pass, skipFailedRequests': {
    limit: 3,
    skipFailedRequests: true,
    handler: (_: unknown, __: unknown, next: () => void) => next(),
  },
  'statusCode 200, skipSuccessfulRequests': { limit: 3, skipSuccessfulRequests: true, statusCode: 200 },
  'skip, skipFailedRequests': {
    limit: 2,
    skipFailedRequests: true,
    skip: ({ key }: { key: string }) => parity(key) === 4,
  },
  'a limit by function': { limit: ({ key }: { key: string }) => parity(key), skipSuccessfulRequests: true },
  'a limit by function, later': { limit: async ({ key }: { key: string }) => parity(key) },
  'passOnStoreError, skipFailedRequests': { limit: 3, passOnStoreError: true, skipFailedRequests: true },
}

const hono: Record<string, object> = {
  ...common,
  'only 401 fails, skipSuccessfulRequests': {
    limit: 5,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (c: { res: { status: number } }) => c.res.status !== 401,
  },
  'only 200 succeeds, found out late, skipFailedRequests': {
    limit: 3,
    skipFailedRequests: true,
    requestWasSuccessful: async (c: { res: { status: number } }) => c.res.status === 200,
  },
  'a handler that redirects, skipSuccessfulRequests': {
    limit: 3,
    skipSuccessfulRequests: true,
    handler: (c: { redirect(to: string): unknown }) => c.redirect('/other'),
  },
  'a handler that throws, both': {
    limit: 3,
    skipFailedRequests: true,
    skipSuccessfulRequests: true,
    handler: () => {
      throw new Error('too many')
    },
  },
  'skip, skipSuccessfulRequests': {
    limit: 2,
    skipSuccessfulRequests: true,
    skip: (c: { req: { header(name: string): string } }) => parity(c.req.header('x-key')) === 4,
  },
  'a limit by function, later': {
    limit: async (c: { req: { header(name: string): string } }) => parity(c.req.header('x-key')),
    skipSuccessfulRequests: true,
  },
}

const fastify: Record<string, object> = {
  'nothing special': { max: 3 },
  ban: { max: 3, ban: 2 },
  continueExceeding: { max: 3, continueExceeding: true },
  'continueExceeding and ban': { max: 2, continueExceeding: true, ban: 1 },
  exponentialBackoff: { max: 2, exponentialBackoff: true },
  'exponentialBackoff and ban': { max: 2, exponentialBackoff: true, ban: 1 },
  skipOnError: { max: 3, skipOnError: true },
  'allowList by function': { max: 2, allowList: (_: unknown, key: string) => parity(key) === 4 },
  'max by function': { max: (_: unknown, key: string) => parity(key) },
  'max by function, later, another one each time': {
    max: () => {
      const asked = new Map<string, number>()
      return async (_: unknown, key: string) => {
        asked.set(key, (asked.get(key) ?? 0) + 1)
        return (asked.get(key) as number) % 3 === 0 ? 6 : 2
      }
    },
    ban: 3,
  },
  'timeWindow by function': { max: 3, timeWindow: () => 60_000 + Math.random() },
  'timeWindow as text': { max: 3, timeWindow: '1 minute' },
  'a max of 0': { max: 0, ban: 1 },
}

const nest: Record<string, object> = {
  'nothing special': { limit: 3, ttl: 60_000 },
  'a long block': { limit: 3, ttl: 60_000, blockDuration: 600_000 },
  'no block': { limit: 3, ttl: 60_000, blockDuration: 0 },
  'a limit of 0': { limit: 0, ttl: 60_000 },
  'a limit of 2.5': { limit: 2.5, ttl: 60_000 },
  'a limit of 2.5, no block': { limit: 2.5, ttl: 60_000, blockDuration: 0 },
  'ttl by function': { limit: 3, ttl: async () => 60_000 + Math.random() },
  'blockDuration by function': { limit: 2, ttl: 60_000, blockDuration: () => 90_000 },
  skipIf: { limit: 2, ttl: 60_000, skipIf: () => false },
}

/** @param processes how many at once */
const suite = (body: Body, processesOf: readonly number[]) => {
  let stashes: PgStash[]

  beforeAll(async () => {
    const first = body.open()
    await first.ready()
    stashes = [first, body.open({ schema: first.schema })]
  })

  let limiters = 0
  const prefix = () => `p${limiters++}`

  describe.each(Object.entries(express))('express-rate-limit: %s', (_, options) => {
    it.each(processesOf)('%i', async (processes) => {
      const name = prefix()
      const apps = stashes
        .slice(0, processes)
        .map((stash) => expressApp(new PgRateLimitStore({ stash, prefix: name }), options))
      const [theirs, ours] = [await runAll([expressApp(new MemoryStore(), options)]), await runAll(apps)]
      expect(processes === 1 ? ours : withoutUsed(ours)).toEqual(processes === 1 ? theirs : withoutUsed(theirs))
    })
  })

  describe.each(Object.entries(hono))('hono-rate-limiter: %s', (_, options) => {
    it.each(processesOf)('%i', async (processes) => {
      const name = prefix()
      const apps = stashes
        .slice(0, processes)
        .map((stash) => honoApp(new PgRateLimitStore({ stash, prefix: name }), options))
      const [theirs, ours] = [await runAll([honoApp(new HonoMemoryStore(), options)]), await runAll(apps)]
      expect(processes === 1 ? ours : withoutUsed(ours)).toEqual(processes === 1 ? theirs : withoutUsed(theirs))
    })
  })

  describe.each(Object.entries(fastify))('@fastify/rate-limit: %s', (name, options) => {
    it.each(processesOf)('%i', async (processes) => {
      const named = prefix()
      // A function that counts its calls counts those of one app.
      const made = () =>
        name.includes('each time') ? { ...options, max: (options as { max(): unknown }).max() } : options
      const shared = made()
      const apps = await Promise.all(
        stashes.slice(0, processes).map((stash) => fastifyApp(fastifyRateLimitStore({ stash, prefix: named }), shared)),
      )
      const [theirs, ours] = [await runAll([await fastifyApp(undefined, made())]), await runAll(apps)]
      expect(ours).toEqual(theirs)
    })
  })

  describe.each(Object.entries(nest))('@nestjs/throttler: %s', (_, options) => {
    it.each(processesOf)('%i', async (processes) => {
      const named = prefix()
      const apps = await Promise.all(
        stashes
          .slice(0, processes)
          .map((stash) => nestApp(new PgThrottlerStorage({ stash, prefix: named }), options as never)),
      )
      const theirs = new ThrottlerStorageService()
      expect(await runAll(apps)).toEqual(await runAll([await nestApp(theirs, options as never)]))
      theirs.onApplicationShutdown()
    })
  })

  it('counts a crowd that two processes let in and give back at once, each hit once', async () => {
    const name = prefix()
    const stores = stashes.map((stash) => new PgRateLimitStore({ stash, prefix: name }))
    const hitAll = (hits: number) =>
      Promise.all(Array.from({ length: hits }, (_, at) => (stores[at % 2] as PgRateLimitStore).increment('k')))
    for (const store of stores) store.init({ windowMs: 60_000, limit: 5, skipSuccessfulRequests: true })
    const totals = (await hitAll(40)).map(({ totalHits }) => totalHits).sort((a, b) => a - b)
    expect(totals).toEqual(Array.from({ length: 40 }, (_, at) => at + 1))
    await Promise.all(Array.from({ length: 36 }, (_, at) => (stores[at % 2] as PgRateLimitStore).decrement('k')))
    expect((await hitAll(1))[0]?.totalHits).toBe(5)
    expect((await hitAll(1))[0]?.totalHits).toBe(6)
  })
}

const title =
  'a rate limit with these options answers as on the memory store of its host, from two processes as from one'
describePostgres(title, (body) => suite(body, [1, 2]))
describeStrictDefaults(title, (body) => suite(body, [2]))
