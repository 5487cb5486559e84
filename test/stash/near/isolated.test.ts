import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import { PgStash } from '../../../src/stash/pg-stash'
import { IsolatedSchema } from '../../support/schemas/isolated'

const url = inject('postgresUrl')

/** A handle, and the stash that counts its hits. */
interface Holder {
  readonly stash: PgStash
  readonly cache: Cache
}

async function read({ stash, cache }: Holder, key: string): Promise<[hits: number, value: unknown]> {
  const { hits } = stash.near.stats()
  const value = await cache.get(key)
  return [stash.near.stats().hits - hits, value]
}

const warmed = (holder: Holder, key: string) =>
  expect.poll(async () => (await read(holder, key))[0], { timeout: 10_000, interval: 5 }).toBe(1)

describe('what is held near under row-level security', () => {
  let isolated: IsolatedSchema
  let namespaces = 0
  const stashes: PgStash[] = []
  beforeAll(async () => {
    isolated = await IsolatedSchema.make(url)
  })
  afterAll(async () => {
    await Promise.all(stashes.map((stash) => stash.close()))
    await isolated.drop()
  })

  /** Two processes of the application that hold the same of two tenants, by polls alone; one that holds nothing; and the owner, whom no policy holds back. */
  const all = async () => {
    namespaces += 1
    const name = `n${namespaces}`
    const near = { listen: false } as const
    const [first, second] = [isolated.open({ sweeper: false, near }), isolated.open({ sweeper: false, near })]
    const plain = isolated.open({ sweeper: false })
    const owner = new PgStash({ connectionString: isolated.urlOf(isolated.owner), schema: isolated.schema, near })
    stashes.push(owner)
    const of = (stash: PgStash, tenant: string): Holder => ({
      stash,
      cache: stash.tenant(tenant).namespace(name, { near: true }),
    })
    const holders = { acme: of(first, 'acme'), other: of(first, 'other') }
    const elsewhere = { acme: of(second, 'acme'), other: of(second, 'other') }
    for (const tenant of ['acme', 'other'] as const) {
      await holders[tenant].cache.set('home', `${tenant} 1`, { tags: ['site'] })
      for (const holder of [holders[tenant], elsewhere[tenant]]) await warmed(holder, 'home')
    }
    return { name, first, second, plain, owner, holders, elsewhere }
  }
  type All = Awaited<ReturnType<typeof all>>

  const writes: Record<string, (made: All) => Promise<unknown>> = {
    'a process that holds it': ({ holders }) => holders.acme.cache.set('home', 'acme 2'),
    'a process that holds nothing': ({ plain, name }) => plain.tenant('acme').namespace(name).set('home', 'acme 2'),
    'the owner': ({ owner, name }) => owner.tenant('acme').namespace(name).set('home', 'acme 2'),
    'the owner, who holds it': ({ owner, name }) =>
      owner.tenant('acme').namespace(name, { near: true }).set('home', 'acme 2'),
  }

  it.each(Object.keys(writes))('is told of what %s writes, and of that tenant alone', async (who) => {
    const made = await all()
    await writes[who]?.(made)
    await Promise.all([made.first.near.sync(), made.second.near.sync()])
    for (const holders of [made.holders, made.elsewhere]) {
      expect((await read(holders.acme, 'home'))[1]).toBe('acme 2')
      expect(await read(holders.other, 'home')).toEqual([1, 'other 1'])
    }
    expect((await read(made.elsewhere.acme, 'home'))[0]).toBe(1)
  })

  const sweeps: Record<string, (made: All) => Promise<unknown>> = {
    'the namespace': ({ plain, name }) => plain.tenant('acme').namespace(name).clear(),
    'the tenant': ({ plain }) => plain.tenant('acme').clear(),
    'a prefix': ({ plain, name }) => plain.tenant('acme').namespace(name).deleteByPrefix('ho'),
    'a tag': ({ plain, name }) => plain.tenant('acme').namespace(name).deleteByTag('site'),
    'the tenant, by the owner': ({ owner }) => owner.tenant('acme').clear(),
    'a tag, by the owner': ({ owner, name }) => owner.tenant('acme').namespace(name).deleteByTag('site'),
  }

  it.each(Object.keys(sweeps))(
    'goes in every process, and another tenant keeps its own: cleared is %s',
    async (what) => {
      const made = await all()
      await sweeps[what]?.(made)
      await Promise.all([made.first.near.sync(), made.second.near.sync()])
      for (const holders of [made.holders, made.elsewhere]) {
        expect(await read(holders.acme, 'home')).toEqual([0, undefined])
        expect(await read(holders.other, 'home')).toEqual([1, 'other 1'])
      }
    },
  )

  it('is held by the owner as well, and told what the application writes', async () => {
    const { owner, name, plain } = await all()
    const holder = { stash: owner, cache: owner.tenant('acme').namespace(name, { near: true }) }
    await warmed(holder, 'home')
    await plain.tenant('acme').namespace(name).set('home', 'acme 2')
    await owner.near.sync()
    expect(await read(holder, 'home')).toEqual([0, 'acme 2'])
  })
})
