import { AsyncLocalStorage } from 'node:async_hooks'
import { caching } from 'cache-manager5'
import Keyv from 'keyv'
import Keyv6 from 'keyv6'
import { beforeAll, expect, it } from 'vitest'
import { PgCacheManagerStore, pgStore } from '../../src/adapters/cache-manager/store'
import { KeyvPgStore } from '../../src/adapters/keyv/store'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeBodies } from '../support/bodies'
import { rounds } from '../support/depth'
import { sleep } from '../support/sleep'

/** Interleaved, of 7 tenants. */
const requests = rounds({ shallow: 70, deep: 200 })

/** What the hosts have in common here. */
interface Host {
  get(key: string): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
}

for (const isolation of ['column', 'rls'] as const) {
  describeBodies(`a tenant asked for at every call, tenants apart by ${isolation}`, (body) => {
    const request = new AsyncLocalStorage<string>()
    const tenant = () => request.getStore()
    let stash: PgStash

    beforeAll(async () => {
      stash = isolation === 'rls' ? await body.openIsolated() : body.open()
      await stash.ready()
    })

    const hosts: Record<string, () => Host> = {
      'Keyv 5': () => new Keyv(new KeyvPgStore(stash, { tenant }), { namespace: 'five', throwOnErrors: true }),
      'Keyv 6': () => new Keyv6(new KeyvPgStore(stash, { tenant, namespace: 'six' })),
      'cache-manager': () => new PgCacheManagerStore({ stash, tenant, namespace: 'cache' }),
    }

    // cache-manager merges calls of wrap by key, before it asks a store: docs/guide/tenants.md.
    it('is right in interleaved calls of wrap that have the tenant in their key', async () => {
      const cache = await caching(pgStore, { stash, tenant, namespace: 'wrapped' })
      const pageOf = (own: string) => request.run(own, () => cache.wrap(`${own}:page`, async () => `of ${own}`))
      const tenants = Array.from({ length: 200 }, (_, at) => `tenant-${at % 7}`)
      expect(await Promise.all(tenants.map(pageOf))).toEqual(tenants.map((own) => `of ${own}`))
    })

    it.each(Object.keys(hosts))(`is right in each of ${requests} interleaved requests, through %s`, async (name) => {
      const host = (hosts[name] as () => Host)()
      const answerOf = async (at: number) => {
        const own = `tenant-${at % 7}`
        await sleep(Math.random() * 5)
        await host.set(`k${at % 3}`, `${own}'s`)
        await sleep(Math.random() * 5)
        const found = await Promise.all(['k0', 'k1', 'k2'].map((key) => host.get(key)))
        return found.filter((value) => value !== undefined && value !== `${own}'s`)
      }
      const answers = Array.from({ length: requests }, (_, at) => request.run(`tenant-${at % 7}`, () => answerOf(at)))
      expect((await Promise.all(answers)).flat()).toEqual([])
      // Outside of a request there is no tenant, and no other takes its place.
      await expect(host.get('k0')).rejects.toMatchObject({ code: 'ERR_PGSTASH_TENANT_REQUIRED' })
    })
  })
}
