import type { Cache } from '../../stash/entries/cache'
import type { KeyvTtl } from './expiry'

/** One entry of Keyv's `setMany`, as the namespace is asked for it. */
export interface KeyvWrite {
  readonly key: string
  readonly value: unknown
  readonly ttl: KeyvTtl
}

/** Of two with one key the last counts, also where one of them has elapsed. */
export async function setAll(cache: Cache, writes: readonly KeyvWrite[]): Promise<void> {
  if (writes.every(isFresh)) {
    await cache.setMany(writes)
    return
  }
  const newest = [...new Map(writes.map((write) => [write.key, write])).values()]
  const elapsed = newest.filter((write) => !isFresh(write)).map(({ key }) => key)
  await Promise.all([cache.setMany(newest.filter(isFresh)), cache.deleteMany(elapsed)])
}

function isFresh(write: KeyvWrite): write is KeyvWrite & { readonly ttl: number | null } {
  return write.ttl !== 'elapsed'
}
