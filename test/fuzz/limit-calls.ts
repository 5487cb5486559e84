import fc from 'fast-check'
import { PgRateLimitStore } from '../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { PgThrottlerStorage } from '../../src/adapters/nestjs-throttler'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { answered } from './callback'
import {
  callOptions,
  type FuzzedCall,
  fuzzed,
  type IsRight,
  isAnything,
  isNothing,
  keys,
  optionsOf,
} from './fuzzed-call'
import { mostly, nasty, nastyButFunctions, nastyNumbers, nastyStrings } from './nasty'
import { among, listOf, objectOf, oneOf, type Recipe } from './recipe'
import type { World } from './world'

const numbers = (...good: unknown[]) => mostly(among(...good), fc.oneof(nasty, nastyNumbers))
const stashes = oneOf({ 'the stash': ({ stash }) => stash })
const algorithms = mostly(among('fixed-window', 'sliding-window', 'gcra', undefined))
const limits = numbers(5, 0, 1_000_000_000)
const windows = numbers(60_000, 1, 3_155_760_000_000)
const names = mostly(among('k', 'fuzz'), fc.oneof(nasty, nastyStrings))
const costs = numbers(1, 2, undefined, 1_000_000_000)
const consumption = optionsOf({ cost: costs })

const shared = {
  stash: mostly(stashes),
  tenant: mostly(fc.oneof(among('k', 5, undefined), oneOf({ "() => 'k'": () => () => 'k' }))),
  onError: mostly(among('throw', 'open', 'closed', 'memory')),
  denyCache: mostly(fc.oneof(among(false), objectOf({ maxKeys: numbers(10, 0), maxMs: numbers(10, 0) }))),
}
const blocks = mostly(
  objectOf({
    blockMs: windows,
    maxBlockMs: windows,
    forgetMs: numbers(0, 1_000),
    isExtended: mostly(among(true, false)),
  }),
)
const limitList = mostly(
  listOf(
    mostly(objectOf({ limit: limits, windowMs: windows, algorithm: algorithms, name: names }, ['limit', 'windowMs'])),
  ),
)

const construction = { throws: true, allowed: ['CONNECTION', 'TIMEOUT', 'CIRCUIT_OPEN'] }

function optionsWith(fields: Record<string, fc.Arbitrary<Recipe>>, required: string[] = []): fc.Arbitrary<Recipe> {
  return mostly(objectOf({ ...shared, ...fields }, ['stash', ...required]))
}

/** In turn: what a call of one algorithm finds there, another may have left. */
const algorithmsInTurn = ['fixed-window', 'sliding-window', 'gcra'] as const
let turn = 0

function limiterOf({ stash }: World, name = 'fuzz'): RateLimiter {
  const algorithm = algorithmsInTurn[turn++ % 3]
  return new RateLimiter({
    stash,
    name,
    limits: [
      { limit: 5, windowMs: 60_000, algorithm },
      { limit: 1_000_000_000, windowMs: 3_155_760_000_000 },
    ].slice(0, 1 + (turn % 2)),
  })
}

function loginsOf({ stash }: World, name = 'fuzz'): LoginLimiter {
  return new LoginLimiter({ stash, name })
}

async function use({ consume, close }: { consume(): Promise<unknown>; close(): Promise<unknown> }): Promise<void> {
  try {
    await consume()
  } finally {
    await close()
  }
}

const isAmount = (value: unknown) => Number.isFinite(value) && (value as number) >= 0

const isResult: IsRight = (answer) => {
  const { isAllowed, limit, used, remaining, resetMs, retryAfterMs } = answer as Record<string, unknown>
  return typeof isAllowed === 'boolean' && [limit, used, remaining, resetMs, retryAfterMs].every(isAmount)
}
const isInfo: IsRight = (answer) => {
  const { totalHits, resetTime } = answer as { totalHits: unknown; resetTime: Date }
  return isAmount(totalHits) && Number.isFinite(resetTime.getTime())
}
const isMaybeInfo: IsRight = (answer, args) => answer === undefined || isInfo(answer, args)
const isAnswer: IsRight = (answer) =>
  isAmount((answer as { current: unknown }).current) && isAmount((answer as { ttl: unknown }).ttl)
const isRecord: IsRight = (answer) => {
  const { totalHits, timeToExpire, timeToBlockExpire } = answer as Record<string, unknown>
  return [totalHits, timeToExpire, timeToBlockExpire].every(isAmount)
}

const isCost = (cost: unknown) => cost === undefined || (Number.isSafeInteger(cost) && (cost as number) >= 1)
const ofCost: IsRight = (answer, [key, options]) =>
  isText(key) && isCost((options as { cost?: unknown } | null | undefined)?.cost) && isResult(answer, [])
/** A limiter counts every text; a host's store every key. */
function isText(key: unknown): boolean {
  return typeof key === 'string'
}

const ofHits: IsRight = (answer, [key, hits]) => isText(key) && isCost(hits) && isResult(answer, [])

const rateLimiterCalls = [
  fuzzed(
    'new RateLimiter',
    [
      optionsWith({ name: names, limit: limits, windowMs: windows, algorithm: algorithms, block: blocks }, [
        'limit',
        'windowMs',
      ]),
    ],
    (_, options) => useLimiter(new RateLimiter(options)),
    isAnything,
    construction,
  ),
  fuzzed(
    'new RateLimiter({ limits })',
    [optionsWith({ limits: limitList, block: blocks }, ['limits'])],
    (_, options) => useLimiter(new RateLimiter(options)),
    isAnything,
    construction,
  ),
  fuzzed(
    'RateLimiter.consume',
    [keys, consumption],
    (world, key, options) => limiterOf(world).consume(key, options),
    ofCost,
  ),
  fuzzed('RateLimiter.peek', [keys, consumption], (world, key, options) => limiterOf(world).peek(key, options), ofCost),
  fuzzed(
    'RateLimiter.penalty',
    [keys, costs, callOptions],
    (world, key, hits, options) => limiterOf(world).penalty(key, hits, options),
    ofHits,
  ),
  fuzzed(
    'RateLimiter.reward',
    [keys, costs, callOptions],
    (world, key, hits, options) => limiterOf(world).reward(key, hits, options),
    ofHits,
  ),
  fuzzed(
    'RateLimiter.reset',
    [keys, callOptions],
    (world, key, options) => limiterOf(world).reset(key, options),
    (answer, [key]) => isText(key) && isNothing(answer, []),
  ),
  fuzzed('RateLimiter.clear', [callOptions], (world, options) => limiterOf(world, 'cleared').clear(options), isNothing),
  fuzzed('RateLimiter.close', [nasty], (world, ...extra) => limiterOf(world).close(...(extra as [])), isNothing),
]

function useLimiter(limiter: RateLimiter): Promise<void> {
  return use({ consume: () => limiter.consume('k').then(() => limiter.peek('k')), close: () => limiter.close() })
}

const callers = mostly(
  objectOf({ username: keys, ip: mostly(among('10.0.0.1'), fc.oneof(nasty, nastyStrings)) }, ['username', 'ip']),
)
const attempts = numbers(5, undefined)

const loginCalls = [
  fuzzed(
    'new LoginLimiter',
    [
      optionsWith({
        name: names,
        attempts,
        windowMs: windows,
        limits: mostly(objectOf({ username: attempts, usernameAndIp: attempts, ip: mostly(among(false)) })),
        block: fc.oneof(among(false), blocks),
      }),
    ],
    (_, options) => {
      const logins = new LoginLimiter(options)
      return use({ consume: () => logins.begin({ username: 'k', ip: 'k' }), close: () => logins.close() })
    },
    isAnything,
    construction,
  ),
  fuzzed(
    'LoginLimiter.begin',
    [callers, callOptions],
    (world, caller, options) => loginsOf(world).begin(caller, options),
    isResult,
  ),
  fuzzed(
    'LoginLimiter.begin, succeed',
    [callers],
    async (world, caller) => (await loginsOf(world).begin(caller)).succeed(),
    isNothing,
  ),
  fuzzed(
    'LoginLimiter.peek',
    [callers, callOptions],
    (world, caller, options) => loginsOf(world).peek(caller, options),
    isResult,
  ),
  fuzzed(
    'LoginLimiter.reset',
    [fc.oneof(callers, mostly(objectOf({ username: keys, ip: keys }))), callOptions],
    (world, caller, options) => loginsOf(world).reset(caller, options),
    isNothing,
  ),
  fuzzed('LoginLimiter.clear', [callOptions], (world, options) => loginsOf(world, 'cleared').clear(options), isNothing),
  fuzzed('LoginLimiter.close', [nasty], (world, ...extra) => loginsOf(world).close(...(extra as [])), isNothing),
]

const storeOf = ({ stash }: World, prefix = 'fuzz') => new PgRateLimitStore({ stash, prefix, limit: 5 })

const expressCalls = [
  fuzzed(
    'new PgRateLimitStore',
    [optionsWith({ prefix: names, limit: limits, windowMs: windows, algorithm: algorithms })],
    (_, options) => {
      const store = new PgRateLimitStore(options)
      return use({ consume: () => store.increment('k'), close: () => store.shutdown() })
    },
    isAnything,
    construction,
  ),
  fuzzed(
    'PgRateLimitStore.init',
    [mostly(objectOf({ limit: limits, windowMs: windows }))],
    ({ stash }, host) => {
      const store = new PgRateLimitStore({ stash, prefix: 'fuzz' })
      store.init(host)
      return store.increment('k')
    },
    isInfo,
    { throws: true },
  ),
  fuzzed('PgRateLimitStore.increment', [keys], (world, key) => storeOf(world).increment(key), isInfo),
  fuzzed('PgRateLimitStore.decrement', [keys], (world, key) => storeOf(world).decrement(key), isNothing),
  fuzzed('PgRateLimitStore.get', [keys], (world, key) => storeOf(world).get(key), isMaybeInfo),
  fuzzed('PgRateLimitStore.resetKey', [keys], (world, key) => storeOf(world).resetKey(key), isNothing),
  fuzzed(
    'PgRateLimitStore.resetAll',
    [nasty],
    (world, ...extra) => storeOf(world, 'cleared').resetAll(...(extra as [])),
    isNothing,
  ),
  fuzzed(
    'PgRateLimitStore.shutdown',
    [nasty],
    (world, ...extra) => storeOf(world).shutdown(...(extra as [])),
    isNothing,
  ),
]

const routes = mostly(
  objectOf({
    continueExceeding: mostly(among(true, false)),
    exponentialBackoff: mostly(among(true, false)),
    ban: numbers(-1, 2),
    routeInfo: mostly(
      objectOf({ method: mostly(fc.oneof(among('GET'), listOf(mostly(among('GET'))))), url: mostly(among('/a')) }),
    ),
  }),
)

const fastifyCalls = [
  fuzzed(
    'fastifyRateLimitStore',
    [optionsWith({ prefix: names, algorithm: algorithms })],
    (_, options) => {
      const Store = fastifyRateLimitStore(options)
      const store = new Store()
      return use({
        consume: () => answered((callback) => store.incr('k', callback, 60_000, 5)),
        close: () => Store.close(),
      })
    },
    isAnything,
    construction,
  ),
  fuzzed(
    'new PgFastifyRateLimitStore',
    [routes],
    ({ stash }, params) => {
      const Store = fastifyRateLimitStore({ stash, prefix: 'fuzz' })
      return answered((callback) => new Store(params).incr('k', callback, 60_000, 5))
    },
    isAnswer,
    { throws: true },
  ),
  fuzzed(
    'PgFastifyRateLimitStore.incr',
    [keys, windows, limits],
    ({ stash }, key, window, max) => {
      const Store = fastifyRateLimitStore({ stash, prefix: 'fuzz' })
      return answered((callback) => new Store().incr(key, callback, window, max))
    },
    isAnswer,
  ),
  fuzzed(
    'PgFastifyRateLimitStore.incr with blocks',
    [keys, windows, limits],
    ({ stash }, key, window, max) => {
      const Store = fastifyRateLimitStore({ stash, prefix: 'fuzz' })
      return answered((callback) => new Store({ exponentialBackoff: true, ban: 2 }).incr(key, callback, window, max))
    },
    isAnswer,
  ),
  fuzzed(
    'PgFastifyRateLimitStore.read',
    [keys, windows, limits],
    ({ stash }, key, window, max) => {
      const Store = fastifyRateLimitStore({ stash, prefix: 'fuzz' })
      return answered((callback) => new Store().read(key, callback, window, max))
    },
    isAnswer,
  ),
  fuzzed(
    'PgFastifyRateLimitStore.incr, its callback',
    [mostly(oneOf({ 'a function': () => () => {} }), nastyButFunctions)],
    ({ stash }, callback) => {
      const Store = fastifyRateLimitStore({ stash, prefix: 'fuzz' })
      return new Store().incr('k', callback, 60_000, 5)
    },
    isNothing,
    { throws: true },
  ),
  fuzzed(
    'PgFastifyRateLimitStore.child',
    [routes],
    ({ stash }, route) => {
      const Store = fastifyRateLimitStore({ stash, prefix: 'fuzz' })
      return answered((callback) => new Store().child(route).incr('k', callback, 60_000, 5))
    },
    isAnswer,
    { throws: true },
  ),
]

const throttlerCalls = [
  fuzzed(
    'new PgThrottlerStorage',
    [optionsWith({ prefix: names, algorithm: algorithms })],
    (_, options) => {
      const storage = new PgThrottlerStorage(options)
      return use({
        consume: () => storage.increment('k', 60_000, 5, 0, 'default'),
        close: () => storage.onApplicationShutdown(),
      })
    },
    isAnything,
    construction,
  ),
  fuzzed(
    'PgThrottlerStorage.increment',
    [keys, windows, limits, numbers(0, 60_000), mostly(among('default'), fc.oneof(nasty, nastyStrings))],
    ({ stash }, key, ttl, limit, block, name) =>
      new PgThrottlerStorage({ stash, prefix: 'fuzz' }).increment(key, ttl, limit, block, name),
    isRecord,
  ),
  fuzzed(
    'PgThrottlerStorage.onApplicationShutdown',
    [nasty],
    ({ stash }, ...extra) => new PgThrottlerStorage({ stash }).onApplicationShutdown(...(extra as [])),
    isNothing,
  ),
]

export const limitCalls: readonly FuzzedCall[] = [
  ...rateLimiterCalls,
  ...loginCalls,
  ...expressCalls,
  ...fastifyCalls,
  ...throttlerCalls,
]
