import { beforeAll, expect, it } from 'vitest'
import type { PgStash } from '../../src/stash/pg-stash'
import { RateLimiter } from '../../src/stash/rate-limiter'
import { describePostgres } from '../support/bodies'

/** In hits and milliseconds, as rationals: `used` counts parts of a hit, one of `windowMs`. */
class ExactGcra {
  #used = 0n
  #at = 0n

  constructor(
    readonly limit: bigint,
    readonly windowMs: bigint,
  ) {}

  hasRoom(now: bigint, cost: bigint): boolean {
    const faded = this.#used - (now - this.#at) * this.limit
    this.#used = faded < 0n ? 0n : faded
    this.#at = now
    return this.#used + cost * this.windowMs <= this.limit * this.windowMs
  }

  count(cost: bigint): void {
    this.#used += cost * this.windowMs
  }
}

/** Intervals that no double holds, and many hits a second. */
const limits = [
  [300, 1_000],
  [7, 1_000],
  [700, 900],
  [333, 1_000],
] as const

describePostgres('GCRA', (body) => {
  let stash: PgStash
  let now = 1_900_000_000_000

  /** The database's clock, which stands still between two hits as it does on a fast machine. */
  const setClock = (moment: number) => {
    now = moment
    return body.sql(
      `create or replace function ${stash.schema}.now_ms() returns bigint language sql stable parallel safe return ${moment}::bigint`,
    )
  }

  beforeAll(async () => {
    stash = body.open({ sweeper: false })
    await stash.ready()
  })

  it.each(limits)('lets in %i hits in %i ms at one moment, one by one, and not one more', async (limit, windowMs) => {
    await setClock(now + 10_000_000)
    const limiter = new RateLimiter({ stash, name: `g${limit}`, limit, windowMs, algorithm: 'gcra', denyCache: false })
    let allowed = 0
    for (let hit = 0; hit < limit; hit += 1) allowed += (await limiter.consume('k')).isAllowed ? 1 : 0
    expect(allowed).toBe(limit)
    expect(await limiter.peek('k')).toMatchObject({ isAllowed: false, used: limit, remaining: 0 })
    expect((await limiter.consume('k')).isAllowed).toBe(false)
  })

  it('decides as rationals do, and peek says what consume does', async () => {
    const windowMs = 977
    const limiter = new RateLimiter({ stash, name: 'exact', limit: 50, windowMs, algorithm: 'gcra', denyCache: false })
    const exact = new ExactGcra(50n, BigInt(windowMs))
    let seed = 7
    const random = (most: number) => {
      seed = (seed * 16_807) % 2_147_483_647
      return seed % most
    }
    for (let moment = 0; moment < 25; moment += 1) {
      await setClock(now + 1 + random(60))
      for (let hit = random(12); hit >= 0; hit -= 1) {
        const cost = 1 + random(4)
        const expected = exact.hasRoom(BigInt(now), BigInt(cost))
        expect((await limiter.peek('k', { cost })).isAllowed).toBe(expected)
        expect((await limiter.consume('k', { cost })).isAllowed).toBe(expected)
        if (expected) exact.count(BigInt(cost))
      }
    }
  })
})
