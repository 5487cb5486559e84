import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterEach, describe, expect, inject, it, vi } from 'vitest'
import type { Cache } from '../../src/stash/entries/cache'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { type Body, describeBodies, freshSchema } from '../support/bodies'
import { runCommand } from '../support/processes'

/** Node's own, whatever stands in their places during a test. */
const { setImmediate: turn, setTimeout: startTimer } = globalThis

const nextTurn = () => new Promise<void>((resolve) => turn(resolve))
const wait = (ms: number) => new Promise<void>((resolve) => startTimer(resolve, ms))

/** Time enough to make the schema on a busy machine. */
const timeoutMs = 4_000

/** What a stash does, all of it asynchronous. */
class Verbs {
  readonly #cache: Cache
  readonly #sessions: Sessions
  readonly #limiters: readonly RateLimiter[]
  readonly #logins: LoginLimiter
  readonly #stash: PgStash

  constructor(stash: PgStash) {
    this.#stash = stash
    this.#cache = stash.namespace('verbs')
    this.#sessions = new Sessions({ stash, userId: () => 'u' })
    const limit = { stash, limit: 1_000, windowMs: 60_000 }
    const algorithms = ['fixed-window', 'sliding-window', 'gcra'] as const
    this.#limiters = algorithms.map((algorithm) => new RateLimiter({ ...limit, algorithm, name: algorithm }))
    this.#logins = new LoginLimiter({ stash })
  }

  /** Each by its name. */
  all(): Record<string, () => Promise<unknown>> {
    const [cache, sessions, stash] = [this.#cache, this.#sessions, this.#stash]
    const session = { cookie: { maxAge: 60_000 }, n: 1 }
    return {
      get: () => cache.get('k'),
      set: () => cache.set('k', 1),
      getEntry: () => cache.getEntry('k'),
      getMany: () => cache.getMany(['k', 'l']),
      setMany: () => cache.setMany([{ key: 'k', value: 1 }]),
      has: () => cache.has('k'),
      ttl: () => cache.ttl('k'),
      add: () => cache.add('k', 1),
      compareAndSet: () => cache.compareAndSet('k', 1, 1),
      increment: () => cache.increment('n'),
      delete: () => cache.delete('k'),
      take: () => cache.take('k'),
      touch: () => cache.touch('k', 1_000),
      'a write behind a read of its key': () => Promise.all([cache.get('k'), cache.set('k', 1), cache.get('k')]),
      deleteByPrefix: () => cache.deleteByPrefix('k'),
      keys: () => cache.keys().next(),
      clear: () => cache.clear(),
      'clear of the tenant': () => stash.tenant('verbs').clear(),
      'session.set': () => sessions.set('s', session),
      'session.get': () => sessions.get('s'),
      'session.touch': () => sessions.touch('s', session),
      'session.all': () => sessions.all(),
      'session.length': () => sessions.length(),
      'session.listByUser': () => sessions.listByUser('u'),
      'session.destroy': () => sessions.destroy('s'),
      'session.clear': () => sessions.clear(),
      ...Object.fromEntries(this.#limiters.map((limiter, at) => [`limit.${at}`, () => limiter.consume('c')])),
      'limit.peek': () => (this.#limiters[0] as RateLimiter).peek('c'),
      'limit.reset': () => (this.#limiters[0] as RateLimiter).reset('c'),
      login: () => this.#logins.begin({ username: 'u', ip: '192.0.2.1' }),
      sweep: () => stash.sweep(),
      stats: () => stash.stats(),
      migrate: () => stash.migrate(),
      ready: () => stash.ready(),
    }
  }
}

/** Answered or failed, by the promised limit and not long after. */
async function settles(promise: Promise<unknown>): Promise<void> {
  const late = wait(2 * timeoutMs).then(() => 'pending')
  expect(await Promise.race([promise.catch(() => 'failed'), late])).not.toBe('pending')
}

/** What was asked in a time of fakes is over, by itself or with the call after it; and that one is answered, as the end is. */
async function recovers(stash: PgStash, lost: readonly Promise<unknown>[]): Promise<void> {
  expect(await stash.namespace('verbs').set('next', 1)).toHaveProperty('version')
  expect(await stash.namespace('verbs').get('next')).toBe(1)
  for (const promise of lost) await settles(promise)
  await settles(stash.close())
}

/** Hands to nobody what this package and `pg` ask for; the runner's own callbacks go their way, or it would not end. */
function swallow(name: string): () => void {
  const owner = (name === 'nextTick' ? process : globalThis) as unknown as Record<string, unknown>
  const real = owner[name] as (...given: unknown[]) => unknown
  owner[name] = (...given: unknown[]) => {
    const isOurs = /[/]src[/]|[/]node_modules[/]pg/.test(new Error().stack ?? '')
    return isOurs ? { unref() {}, ref() {} } : real(...given)
  }
  return () => {
    owner[name] = real
  }
}

const callbacks = ['nextTick', 'setImmediate', 'setTimeout', 'queueMicrotask']

afterEach(() => vi.useRealTimers())

describeBodies('a callback lost once', (body: Body) => {
  it.each(callbacks)('%s: around each verb, the next call answers, and the lost one ends', async (name) => {
    const stash = body.open({ timeoutMs })
    const lost: Promise<unknown>[] = []
    const verbs = Object.entries(new Verbs(stash).all())
    await stash.ready()
    for (const [verb, call] of verbs) {
      const restore = swallow(name)
      const promise = call()
      promise.catch(() => {})
      lost.push(promise)
      await nextTurn()
      restore()
      const answer = await stash.namespace('others').set(verb, name)
      expect(answer, verb).toHaveProperty('version')
    }
    await recovers(stash, lost)
  })
})

/** Each switches the fakes on, for all that it can fake here, and answers how to switch them off. */
const libraries: Record<string, () => () => void> = {
  vitest: () => {
    // It refuses to fake process.nextTick in a process of its own.
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] })
    return () => vi.useRealTimers()
  },
}

describe.each(Object.keys(libraries))("%s's fake timers", (library) => {
  const fake = libraries[library] as () => () => void
  const connection = (): PgStashOptions => ({
    connectionString: inject('postgresUrl'),
    schema: freshSchema(),
    timeoutMs,
  })

  it.each(['warm', 'cold'])(
    'switched on around calls and off again: a %s stash answers the next call, and closes',
    async (state) => {
      const stash = new PgStash(connection())
      if (state === 'warm') await stash.ready()
      const lost: Promise<unknown>[] = []
      for (let round = 0; round < 3; round += 1) {
        const off = fake()
        const calls = Object.values(new Verbs(stash).all()).slice(0, 20)
        for (const call of calls) {
          const promise = call()
          promise.catch(() => {})
          lost.push(promise)
        }
        await nextTurn()
        await nextTurn()
        off()
      }
      await recovers(stash, lost)
    },
  )

  it('on a pool of the caller', async () => {
    const { schema, connectionString } = connection()
    const pool = new pg.Pool({ connectionString, max: 1 } as pg.PoolConfig)
    const stash = new PgStash({ pool, schema, timeoutMs })
    await stash.ready()
    const off = fake()
    const lost = [
      stash.namespace('verbs').get('a'),
      stash.namespace('verbs').set('a', 1),
      stash.namespace('verbs').get('b'),
    ]
    await nextTurn()
    off()
    await recovers(stash, lost)
    await pool.end()
  })
})

describe('in a test file of', () => {
  const files = 'test/fixtures/fake-timers'
  const commands: Record<string, readonly string[]> = {
    jest: [`${files}/jest.mjs`],
    sinon: [`${files}/sinon.mjs`],
    // In a worker: in a process of its own it refuses to fake process.nextTick.
    vitest: [join('node_modules', 'vitest', 'vitest.mjs'), 'run', '--config', `${files}/vitest.config.mjs`],
  }

  it.each(Object.keys(commands))(
    '%s, process.nextTick faked: the next call answers, and close() ends',
    async (name) => {
      const env = { DATABASE_URL: inject('postgresUrl'), SCHEMA: freshSchema() }
      const { code, output } = await runCommand(process.execPath, commands[name] as readonly string[], { env })
      expect(code, output).toBe(0)
      expect(output.match(/^passed: /gm), output).toHaveLength(7)
    },
    120_000,
  )
})

it('a stash that was loaded while they were on answers the call after those that they lost', async () => {
  const env = { DATABASE_URL: inject('postgresUrl'), SCHEMA: freshSchema() }
  const { code, output } = await runCommand(process.execPath, ['test/fixtures/fake-timers/loaded-under-fakes.cjs'], {
    env,
  })
  expect(output).toMatch(/^passed/)
  expect(code).toBe(0)
})

it('a call on PGlite, which needs no tick, is answered while they are lost', async () => {
  const stash = new PgStash({ pglite: await PGlite.create(), schema: freshSchema(), timeoutMs })
  await stash.ready()
  const restore = swallow('nextTick')
  try {
    const answer = Promise.race([stash.namespace('n').get('k'), wait(timeoutMs / 2).then(() => 'nobody')])
    expect(await answer).toBeUndefined()
  } finally {
    restore()
  }
  await stash.close()
})
