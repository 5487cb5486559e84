import { caching as caching4 } from 'cache-manager4'
import { caching as caching5 } from 'cache-manager5'
import { createCache } from 'cache-manager7'
import Keyv from 'keyv'
import Keyv6 from 'keyv6'
import { expect, it } from 'vitest'
import { PgCacheManagerStore, pgStore4 } from '../../src/adapters/cache-manager/store'
import { KeyvPgStore } from '../../src/adapters/keyv/store'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeBodies } from '../support/bodies'

interface Host {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<unknown>
}

const hosts: Record<string, (stash: PgStash) => Host | Promise<Host>> = {
  'Keyv 5': (stash) => new Keyv(new KeyvPgStore(stash, { near: true, namespace: 'a' })),
  'Keyv 6': (stash) => new Keyv6(new KeyvPgStore({ stash, near: { ttl: 5_000 }, namespace: 'b' })),
  'cache-manager 4': (stash) =>
    caching4({ store: pgStore4 as never, stash, near: true, namespace: 'c', ttl: 60 } as never) as unknown as Host,
  'cache-manager 5': (stash) =>
    caching5(new PgCacheManagerStore({ stash, near: true, namespace: 'd' }) as never) as unknown as Host,
  'cache-manager 7': (stash) =>
    createCache({ stores: [new Keyv(new KeyvPgStore(stash, { near: { values: 'copy' }, namespace: 'e' })) as never] }),
}

describeBodies('hosts that hold near', (body) => {
  it.each(Object.entries(hosts))('%s is answered from memory, and hears of others', async (_name, open) => {
    const stash = body.open({ sweeper: false })
    const host = await open(stash)
    await host.set('home', { count: 1 })
    const hits = () => stash.near.stats().hits
    await expect
      .poll(
        async () => {
          const before = hits()
          expect(await host.get('home')).toEqual({ count: 1 })
          return hits() - before
        },
        { timeout: 10_000, interval: 5 },
      )
      .toBe(1)
    await stash.tenant('default').clear()
    expect((await host.get('home')) ?? undefined).toBeUndefined()
    await stash.close()
  })

  it('takes what holds for a stash of its own', async () => {
    const store = new KeyvPgStore({
      ...body.connection(),
      schema: body.open().schema,
      near: { maxEntries: 5, ttl: 1_000 },
    })
    await store.set('a', '1')
    expect(await store.get('a')).toBe('1')
    await store.disconnect()
    const wrong = () => new KeyvPgStore({ near: { maxEntry: 5 } as never })
    expect(wrong).toThrow('near has no "maxEntry"')
    const stash = body.open()
    expect(() => new KeyvPgStore(stash, { near: { maxEntries: 5 } })).toThrow(
      /near.maxEntries .*beside a stash.*new PgStash\(\{ near/,
    )
  })
})
