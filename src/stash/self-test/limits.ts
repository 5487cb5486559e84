import { LoginLimiter } from '../limits/login-limiter'
import { type Algorithm, RateLimiter } from '../limits/rate-limiter'
import type { PgStash } from '../pg-stash'
import { type Round, unless } from './round'

const algorithms: readonly Algorithm[] = ['fixed-window', 'sliding-window', 'gcra']

/** Every algorithm, several limits at once, blocks, and logins. */
export function limitRounds(stash: PgStash, tenant: string): { store: string; rounds: Round[] }[] {
  const rounds = algorithms.map((algorithm) => ({
    step: `${algorithm}: 10 hits at once, 4 may`,
    run: () => grantsFour(new RateLimiter({ stash, tenant, name: algorithm, limit: 4, windowMs: 60_000, algorithm })),
  }))
  return [
    {
      store: 'rate limits',
      rounds: [...rounds, { step: 'two limits, and a block', run: () => blocks(stash, tenant) }],
    },
    { store: 'logins', rounds: [{ step: 'guesses are denied', run: () => deniesGuesses(stash, tenant) }] },
  ]
}

async function grantsFour(limiter: RateLimiter): Promise<string | undefined> {
  const results = await Promise.all(Array.from({ length: 10 }, () => limiter.consume('caller')))
  const granted = results.filter(({ isAllowed }) => isAllowed).length
  const { remaining } = await limiter.peek('caller')
  await limiter.reset('caller')
  const after = await limiter.consume('caller')
  await limiter.clear()
  return unless([granted, remaining, after.isAllowed], [4, 0, true])
}

async function blocks(stash: PgStash, tenant: string): Promise<string | undefined> {
  const limits = [
    { limit: 1, windowMs: 60_000 },
    { limit: 100, windowMs: 3_600_000 },
  ]
  const limiter = new RateLimiter({ stash, tenant, name: 'block', limits, block: { blockMs: 120_000 } })
  await limiter.consume('caller')
  await limiter.consume('caller')
  const { isAllowed, isBlocked, strikes } = await limiter.peek('caller')
  await limiter.clear()
  return unless([isAllowed, isBlocked, strikes], [false, true, 1])
}

async function deniesGuesses(stash: PgStash, tenant: string): Promise<string | undefined> {
  const logins = new LoginLimiter({ stash, tenant, attempts: 3 })
  const begin = () => logins.begin({ username: 'ada', ip: '192.0.2.1' })
  const attempts = await Promise.all(Array.from({ length: 5 }, begin))
  return unless(attempts.filter(({ isAllowed }) => isAllowed).length, 3)
}
