import { beforeAll, describe, expect, it, vi } from 'vitest'
import { LoadTimeoutError } from '../../../src/errors'
import type { Cache } from '../../../src/stash/entries/cache'
import { describePostgres } from '../../support/bodies'
import { sleep } from '../../support/sleep'

const failure = new Error('of the loader')
/** Between what is fast and what is slow, on a busy machine too. */
const patienceMs = 500
const slowMs = 1_500
const maxLoadMs = 3_000

const loaders = {
  fast: async () => 'new',
  slow: async () => {
    await sleep(slowMs)
    return 'new'
  },
  failing: () => Promise.reject(failure),
  hanging: () => new Promise<string>(() => {}),
}

const timeouts = {
  soft: { softTimeoutMs: patienceMs },
  hard: { hardTimeoutMs: patienceMs },
}

const states: Readonly<Record<string, (cache: Cache, key: string) => Promise<unknown>>> = {
  fresh: (cache, key) => cache.set(key, 'old', { ttl: 60_000 }),
  stale: async (cache, key) => {
    await cache.set(key, 'old', { ttl: 20, grace: 600_000 })
    await sleep(60)
  },
  absent: async () => {},
}

const late = expect.any(LoadTimeoutError)

/** What the caller is told, and what `get` says when all is over: it never answers what is stale. */
const cells: readonly (readonly [
  state: string,
  loader: keyof typeof loaders,
  timeout: keyof typeof timeouts,
  told: unknown,
  after: unknown,
])[] = [
  ['fresh', 'fast', 'soft', 'old', 'old'],
  ['fresh', 'fast', 'hard', 'old', 'old'],
  ['fresh', 'slow', 'soft', 'old', 'old'],
  ['fresh', 'slow', 'hard', 'old', 'old'],
  ['fresh', 'failing', 'soft', 'old', 'old'],
  ['fresh', 'failing', 'hard', 'old', 'old'],
  ['fresh', 'hanging', 'soft', 'old', 'old'],
  ['fresh', 'hanging', 'hard', 'old', 'old'],
  ['stale', 'fast', 'soft', 'new', 'new'],
  // Nobody waits for a load where there is something to serve, unless he says so.
  ['stale', 'fast', 'hard', 'old', 'new'],
  ['stale', 'slow', 'soft', 'old', 'new'],
  ['stale', 'slow', 'hard', 'old', 'new'],
  ['stale', 'failing', 'soft', 'old', undefined],
  ['stale', 'failing', 'hard', 'old', undefined],
  ['stale', 'hanging', 'soft', 'old', undefined],
  ['stale', 'hanging', 'hard', 'old', undefined],
  ['absent', 'fast', 'soft', 'new', 'new'],
  ['absent', 'fast', 'hard', 'new', 'new'],
  ['absent', 'slow', 'soft', 'new', 'new'],
  // It goes on, and is stored.
  ['absent', 'slow', 'hard', late, 'new'],
  ['absent', 'failing', 'soft', failure, undefined],
  ['absent', 'failing', 'hard', failure, undefined],
  // By maxLoadMs: there is nothing that a soft limit could have answered.
  ['absent', 'hanging', 'soft', late, undefined],
  ['absent', 'hanging', 'hard', late, undefined],
]

describePostgres('a value that is loaded', (body) => {
  let cache: Cache
  beforeAll(async () => {
    const stash = body.open()
    await stash.ready()
    cache = stash.namespace('grace', { ttl: 60_000 })
  })

  describe.concurrent('where there is', () => {
    it.each(cells)('%s: a loader that is %s, and a %s limit', { timeout: 60_000 }, async (...cell) => {
      const [state, loader, timeout, told, after] = cell
      const key = `${state} ${loader} ${timeout}`
      await states[state]?.(cache, key)
      let calls = 0
      const load = () => {
        calls += 1
        return loaders[loader]()
      }
      const options = { ...timeouts[timeout], maxLoadMs, grace: 600_000 }
      const answer = await cache.getOrSet<string>(key, load, options).catch((error: unknown) => error)
      expect(answer).toEqual(told)
      if (answer instanceof LoadTimeoutError) expect(answer.isLoading).toBe(timeout === 'hard')
      await vi.waitFor(async () => expect(await cache.get(key)).toBe(after), { timeout: 20_000 })
      expect(calls).toBe(state === 'fresh' ? 0 : 1)
    })
  })
})
