import { type PgStash, RateLimiter, Sessions } from 'pgstash'
import { load, withOwnStash } from '../contestants/own-stash'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import type { Verdict } from '../measuring/verdict'
import { Keys } from './of-comparison'

/** Operations a second with 10 users, of the app that this package began with. */
const atTheBeginning = 179.6

const users = 10
const operationsOfAVisit = 5
const cached = new Keys(1_000)

/** The mix of a small app: each user visits again and again, one awaited call after the other. */
export async function usersMix(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'users_mix', false, async ({ stash }) => {
    const figureOf = await takeTurns({ visit: await visitsTo(stash) }, users, settings)
    const rate = figureOf('visit').rate * operationsOfAVisit
    const what =
      `${Math.round(rate).toLocaleString('en')} operations a second of ${users} users (rate limit, session, cache), ` +
      `over the ${atTheBeginning} of the app this began with`
    return [{ what, reached: rate / atTheBeginning, bound: 0, is: null }]
  })
}

/** A visit of the user who has waited longest: with as many callers as users, each is there once. */
async function visitsTo(stash: PgStash): Promise<() => Promise<void>> {
  const limiter = new RateLimiter({ stash, limit: 1_000_000_000, windowMs: 900_000 })
  const sessions = new Sessions({ stash })
  const cache = stash.namespace('app')
  const value = 'x'.repeat(300)
  const waiting = Array.from({ length: users }, (_, at) => `user-${at}`)
  for (const user of waiting) await sessions.set(user, { user, visits: 0, note: 'x'.repeat(300) })
  await load(cache, 1_000, value)
  return async () => {
    const user = waiting.shift() as string
    await limiter.consume(user)
    const session = await sessions.get(user)
    await sessions.set(user, { ...session, visits: Number(session?.visits) + 1 })
    await cache.get(cached.one())
    await cache.set(cached.one(), value)
    waiting.push(user)
  }
}
