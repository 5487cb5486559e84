import { type Algorithm, type PgStash, RateLimiter } from 'pgstash'
import { flexible, type HitCounter, limit, ours, redis, windowMs } from '../contestants/hit-counters'
import { withOwnStash } from '../contestants/own-stash'
import type { Figure } from '../measuring/measure'
import { rateRatio } from '../measuring/rate-ratio'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import type { Verdict } from '../measuring/verdict'
import { Keys } from './of-comparison'

type Operations = Record<string, () => Promise<unknown>>

const callers = 64
const many = new Keys(1_000)
const hot = 'hot'

/** Which caller a hit is of. */
const crowds: Readonly<Record<string, () => string>> = { '1,000 keys': () => many.one(), 'one hot key': () => hot }

/** What ours is to reach over the others, in the order of the crowds; null: told only, our table is unlogged too. */
const targets: Readonly<Record<string, readonly (number | null)[]>> = {
  'rate-limiter-flexible': [5, 15],
  'rate-limiter-flexible, unlogged': [null, null],
  'rate-limit-redis': [0.7, 0.7],
}

/** The default first; the others are told relative to it. */
const algorithms = ['fixed-window', 'sliding-window', 'gcra'] as const satisfies readonly Algorithm[]

/** Hits of rate limits: our store of express-rate-limit against others, and the algorithms of the limiter below it. */
export async function rateLimits(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'rate_limits', false, async ({ stash, schema }) => {
    const counters = await open(settings, stash, schema)
    try {
      const operations = { ...hitsOn(counters), ...hitsBy(stash) }
      const figureOf = await takeTurns(operations, callers, settings)
      return [...judge(Object.keys(counters), figureOf), ...compareAlgorithms(figureOf)]
    } finally {
      for (const counter of Object.values(counters)) await counter.close([...many.all(), hot])
    }
  })
}

async function open(
  { databaseUrl, redisUrl }: Settings,
  stash: PgStash,
  schema: string,
): Promise<Record<string, HitCounter>> {
  const inRedis = await redis(redisUrl)
  return {
    pgstash: ours(stash),
    'rate-limiter-flexible': await flexible(databaseUrl, schema, false),
    'rate-limiter-flexible, unlogged': await flexible(databaseUrl, schema, true),
    ...(inRedis && { 'rate-limit-redis': inRedis }),
  }
}

function hitsOn(counters: Readonly<Record<string, HitCounter>>): Operations {
  const operations = Object.entries(crowds).flatMap(([crowd, caller]) =>
    Object.entries(counters).map(([name, counter]) => [`${crowd} ${name}`, () => counter.hit(caller())] as const),
  )
  return Object.fromEntries(operations)
}

function hitsBy(stash: PgStash): Operations {
  const operations = algorithms.map((algorithm) => {
    const limiter = new RateLimiter({ stash, name: 'native', limit, windowMs, algorithm })
    return [algorithm, () => limiter.consume(many.one())] as const
  })
  return Object.fromEntries(operations)
}

function judge(present: readonly string[], figureOf: (operation: string) => Figure): Verdict[] {
  return Object.keys(crowds).flatMap((crowd, at) => {
    const measured = (name: string) => ({ name, ...figureOf(`${crowd} ${name}`) })
    return Object.entries(targets)
      .filter(([name]) => present.includes(name))
      .map(([name, bounds]) =>
        rateRatio(
          `rate-limit hits on ${crowd}, ${callers} callers`,
          measured('pgstash'),
          measured(name),
          bounds[at] ?? null,
        ),
      )
  })
}

function compareAlgorithms(figureOf: (operation: string) => Figure): Verdict[] {
  const measured = (name: string) => ({ name, ...figureOf(name) })
  const what = `RateLimiter.consume on 1,000 keys, ${callers} callers`
  const [usual, ...others] = algorithms
  return others.map((other) => rateRatio(what, measured(other), measured(usual), null))
}
