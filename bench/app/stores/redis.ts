import KeyvRedis, { createClient } from '@keyv/redis'
import { RedisStore as SessionStore } from 'connect-redis'
import Keyv from 'keyv'
import { RedisStore as LimitStore } from 'rate-limit-redis'
import type { Places, Stack } from './stack'

const prefix = 'pgstash-bench-app'

/** rate-limit-redis, connect-redis and @keyv/redis over one client, which sends what they ask in one turn of the loop together. */
export async function redisStores({ redisUrl }: Places): Promise<Stack> {
  const client = createClient({ url: redisUrl, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  await client.connect()
  const limits = new LimitStore({
    sendCommand: (...command) => client.sendCommand(command),
    prefix: `${prefix}-limits:`,
  })
  return {
    limits,
    sessions: new SessionStore({ client, prefix: `${prefix}-sessions:` }),
    cache: new Keyv({ store: new KeyvRedis(client), namespace: `${prefix}-pages`, throwOnErrors: true }),
    close: async () => {
      for await (const keys of client.scanIterator({ MATCH: `${prefix}-*`, COUNT: 1_000 }))
        if (keys.length > 0) await client.unlink(keys)
      await client.close()
    },
  }
}
