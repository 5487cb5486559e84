import KeyvRedis from '@keyv/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Cacheable } from 'cacheable'
import { Redis } from 'ioredis'
import { PgStash } from 'pgstash'
import type { StoreName, Told } from './messages'

/** A cache that works out what it has not got. */
export interface LoadingCache {
  getOrSet(key: string, load: () => Promise<string>): Promise<unknown>
  close(): Promise<void>
}

const ttl = 600_000

/** Each as it comes. */
export const stores: Readonly<Record<StoreName, (told: Told) => Promise<LoadingCache>>> = {
  pgstash: async ({ databaseUrl, schema, leaseMs }) => {
    const stash = new PgStash({
      connectionString: databaseUrl,
      schema,
      unlogged: true,
      sweeper: false,
      timeoutMs: 60_000,
    })
    await stash.ready()
    const cache = stash.namespace('stampede', { ttl })
    return {
      getOrSet: (key, load) => cache.getOrSet(key, load, { leaseMs, waitTimeoutMs: 60_000 }),
      close: () => stash.close(),
    }
  },
  bentocache: async ({ redisUrl, schema }) => {
    const connection = new Redis(redisUrl)
    const store = bentostore()
      .useL1Layer(memoryDriver({ maxItems: 10_000 }))
      .useL2Layer(redisDriver({ connection }))
      .useBus(redisBusDriver({ connection }))
    const cache = new BentoCache({ default: 'all', prefix: schema, stores: { all: store }, ttl })
    await cache.get({ key: 'connect' })
    return { getOrSet: (key, factory) => cache.getOrSet({ key, factory }), close: () => cache.disconnectAll() }
  },
  cacheable: async ({ redisUrl, schema }) => {
    const cache = new Cacheable({ secondary: new KeyvRedis(redisUrl, { namespace: schema }), ttl })
    await cache.get('connect')
    return { getOrSet: (key, load) => cache.getOrSet(key, load), close: () => cache.disconnect() }
  },
}
