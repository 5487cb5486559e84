import { beforeAll, describe, expect, it } from 'vitest'
import { RateLimiter, type RateLimiterOptions } from '../../../src/stash/limits/rate-limiter'
import { PgStash } from '../../../src/stash/pg-stash'
import { describePostgres } from '../../support/bodies'

/** In hits and milliseconds, as rationals: `used` counts parts of a hit, one of `windowMs`. */
class ExactGcra {
  #used = 0n
  #at = 0n

  constructor(
    readonly limit: bigint,
    readonly windowMs: bigint,
  ) {}

  hasRoom(now: bigint, cost: bigint): boolean {
    this.#fade(now)
    return this.#used + cost * this.windowMs <= this.limit * this.windowMs
  }

  /** Whatever the limit says, and never below none. */
  add(now: bigint, hits: bigint): void {
    this.#fade(now)
    this.#used += hits * this.windowMs
    if (this.#used < 0n) this.#used = 0n
  }

  #fade(now: bigint): void {
    const faded = this.#used - (now - this.#at) * this.limit
    this.#used = faded < 0n ? 0n : faded
    this.#at = now
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

  const limiterOf = (name: string, options: Pick<RateLimiterOptions, 'limit' | 'windowMs' | 'limits' | 'block'>) =>
    new RateLimiter({ stash, name, algorithm: 'gcra', denyCache: false, ...options })

  const countAllowed = async (limiter: RateLimiter, hits: number) => {
    let allowed = 0
    for (let hit = 0; hit < hits; hit += 1) allowed += (await limiter.consume('k')).isAllowed ? 1 : 0
    return allowed
  }

  /** What decides: the statement of one limit, or the function of several and of blocks. */
  const doors = [
    ['one limit', (limit: number, windowMs: number) => limiterOf(`g${limit}`, { limit, windowMs })],
    [
      'a limit with a block',
      (limit: number, windowMs: number) => limiterOf(`b${limit}`, { limit, windowMs, block: { blockMs: 1 } }),
    ],
    [
      'several limits',
      (limit: number, windowMs: number) =>
        limiterOf(`s${limit}`, {
          limits: [
            { limit, windowMs },
            { limit: limit + 1, windowMs: 7_777 },
          ],
        }),
    ],
  ] as const

  describe.each(doors)('%s', (_door, open) => {
    it.each(limits)('lets in %i hits in %i ms at one moment, one by one, and not one more', async (limit, windowMs) => {
      await setClock(now + 10_000_000)
      const limiter = open(limit, windowMs)
      expect(await countAllowed(limiter, limit)).toBe(limit)
      expect(await limiter.peek('k')).toMatchObject({ isAllowed: false, remaining: 0 })
      expect((await limiter.consume('k')).isAllowed).toBe(false)
    })

    it.each(limits.slice(0, 2))(
      'gives hits back and takes them one by one, exactly, of %i in %i ms',
      async (limit, windowMs) => {
        await setClock(now + 10_000_000)
        const limiter = open(limit, windowMs)
        for (let hit = 0; hit < limit; hit += 1) await limiter.penalty('k')
        expect(await limiter.peek('k')).toMatchObject({ isAllowed: false, remaining: 0 })
        const half = Math.floor(limit / 2)
        for (let hit = 0; hit < half; hit += 1) await limiter.reward('k')
        expect(await countAllowed(limiter, half)).toBe(half)
        expect((await limiter.consume('k')).isAllowed).toBe(false)
      },
    )
  })

  const windowMs = 977
  const programs = [
    ['one limit', [50]],
    ['several limits', [50, 61]],
    ['many of several limits', [3_001, 4_000]],
  ] as const

  it.each(programs)('decides as rationals do, and peek says what consume does: %s', async (name, most) => {
    const windows = most.map((limit, at) => ({ limit, windowMs: windowMs + at }))
    const limiter = limiterOf(name, { limits: windows })
    const exact = windows.map(({ limit, windowMs }) => new ExactGcra(BigInt(limit), BigInt(windowMs)))
    let seed = 7
    const random = (most: number) => {
      seed = (seed * 16_807) % 2_147_483_647
      return seed % most
    }
    const unit = Math.floor(most[0] / 12)
    for (let moment = 0; moment < 25; moment += 1) {
      await setClock(now + 1 + random(60))
      for (let hit = random(12); hit >= 0; hit -= 1) {
        const cost = 1 + random(unit)
        const expected = exact.map((one) => one.hasRoom(BigInt(now), BigInt(cost))).every(Boolean)
        expect((await limiter.peek('k', { cost })).isAllowed).toBe(expected)
        expect((await limiter.consume('k', { cost })).isAllowed).toBe(expected)
        if (expected) for (const one of exact) one.add(BigInt(now), BigInt(cost))
      }
      const by = 1 + random(3)
      const isBack = random(2) === 0
      await (isBack ? limiter.reward('k', by) : limiter.penalty('k', by))
      for (const one of exact) one.add(BigInt(now), BigInt(isBack ? -by : by))
    }
  })

  it('comes at many moments to the very fraction of a hit that rationals come to', async () => {
    const limiter = limiterOf('fraction', { limit: 7, windowMs: 1_000, block: { blockMs: 1 } })
    // A seventh of 1,000 ms is no whole number: after each hit but the seventh there is a fraction left over.
    await setClock(now + 10_000_000)
    for (let round = 0; round < 40; round += 1) {
      expect(await countAllowed(limiter, 7)).toBe(7)
      expect((await limiter.peek('k')).isAllowed).toBe(false)
      await setClock(now + 1_000)
    }
    for (let hit = 0; hit < 60; hit += 1) {
      expect((await limiter.consume('k')).isAllowed).toBe(true)
      await setClock(now + 143)
    }
    // 60 hits lead by 60/7 of 1,000 ms; the clock went on by 60 times 143.
    expect(await countAllowed(limiter, 8)).toBe(7)
  })

  it('counts whole hits while the database is away', async () => {
    const away = new PgStash({ connectionString: 'postgres://127.0.0.1:1/nowhere' })
    const options = { stash: away, algorithm: 'gcra', onError: 'memory', denyCache: false } as const
    const limiter = new RateLimiter({
      ...options,
      limits: [
        { limit: 7, windowMs: 3_600_000 },
        { limit: 9, windowMs: 7_200_000 },
      ],
    })
    expect(await countAllowed(limiter, 12)).toBe(7)
    await limiter.reward('k', 3)
    expect(await countAllowed(limiter, 12)).toBe(3)
    await limiter.close()
    await away.close()
  })
})
