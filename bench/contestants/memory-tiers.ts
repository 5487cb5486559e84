import KeyvRedis from '@keyv/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Cacheable } from 'cacheable'
import { Redis } from 'ioredis'

/** A cache with a tier in memory, or one to compare such with. */
export interface NearCache {
  readonly name: string
  /** Whether it answers from memory, once it has what it is asked for. */
  readonly isNear?: boolean
  get(key: string): Promise<unknown>
  set(key: string, value: object): Promise<unknown>
  /** Empties what it used, and closes. */
  close(): Promise<void>
}

const prefix = 'pgstash-bench-near'
/** More than a run has: nobody evicts. */
const mostEntries = 100_000

/** Memory over Redis. What it answers is the object it holds; other processes are told nothing unless asked for. */
export async function cacheable(redisUrl: string): Promise<NearCache> {
  const secondary = new KeyvRedis(redisUrl, { namespace: `${prefix}-cacheable` })
  const cache = new Cacheable({ secondary })
  return {
    name: 'cacheable',
    isNear: true,
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    close: async () => {
      await cache.clear()
      await cache.disconnect()
    },
  }
}

/**
 * Memory over Redis, with a bus over Redis. By default it holds text and parses it at each hit; by reference, it answers the object that it holds.
 */
export async function bentocache(redisUrl: string, isByReference: boolean): Promise<NearCache> {
  const name = isByReference ? 'bentocache, by reference' : 'bentocache'
  // The bus makes clients of its own like this one.
  const connection = new Redis(redisUrl)
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: mostEntries, serialize: !isByReference }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }))
  const cache = new BentoCache({
    default: 'near',
    prefix: `${prefix}-${isByReference ? 'reference' : 'text'}`,
    stores: { near: store },
    ttl: 3_600_000,
  })
  return {
    name,
    isNear: true,
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    close: async () => {
      await cache.clear()
      await cache.disconnectAll()
    },
  }
}
