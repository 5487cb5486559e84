import { expect } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import type { PgStash } from '../../../src/stash/pg-stash'

/** Reads until the value comes from memory. */
export async function warmed(stash: PgStash, cache: Cache, key: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const { hits } = stash.near.stats()
        await cache.get(key)
        return stash.near.stats().hits - hits
      },
      { timeout: 10_000, interval: 5 },
    )
    .toBe(1)
}
