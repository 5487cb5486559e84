import { keyvApiTests, keyvIteratorTests, keyvNamespaceTest, keyvValueTests } from '@keyv/test-suite'
import Keyv, { type KeyvOptions } from 'keyv'
import * as vitest from 'vitest'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createKeyv, KeyvPgStore } from '../../src/adapters/keyv/store'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeBodies, freshSchema } from '../support/bodies'
import { sleep } from '../support/sleep'

type Suite = (test: typeof vitest, keyv: typeof Keyv, store: () => KeyvPgStore) => void

/** Keyv 5 answers false, or undefined, where its store fails, and the official suite does not look: this one throws. */
class StrictKeyv extends Keyv {
  constructor(options: KeyvOptions) {
    super({ ...options, throwOnErrors: true })
  }
}

describeBodies('Keyv 5', (body) => {
  let stash: PgStash
  let names = 0
  const fresh = () => `n${names++}`

  beforeAll(async () => {
    stash = body.open()
    // Keyv counts a ttl from its own call on: making the schema takes longer than the suite's shortest on a busy machine.
    await stash.ready()
  })

  describe('the official suite, a store for each Keyv', () => {
    for (const suite of [keyvApiTests, keyvValueTests, keyvNamespaceTest, keyvIteratorTests] as unknown as Suite[]) {
      describe(suite.name, () => suite(vitest, StrictKeyv, () => new KeyvPgStore(stash)))
    }
  })

  describe('the official suite, one store for all of them', () => {
    // Of the namespace suite only what a shared store can tell apart: see "refuses a clear() it cannot attribute".
    for (const suite of [keyvApiTests, keyvValueTests] as unknown as Suite[]) {
      let store: KeyvPgStore
      beforeAll(() => {
        store = new KeyvPgStore(stash)
      })
      describe(suite.name, () => suite(vitest, StrictKeyv, () => store))
    }
    describe('iterator', () =>
      (keyvIteratorTests as unknown as Suite)(vitest, StrictKeyv, () => new KeyvPgStore(stash)))
  })

  it('lists through the iterator what it set, in every namespace by itself', async () => {
    const store = new KeyvPgStore(stash)
    const [a, b] = [fresh(), fresh()].map((namespace) => new Keyv({ store, namespace })) as [Keyv, Keyv]
    await a.set('k', 'a')
    await b.set('k', 'b')
    await b.set('with:colon', 'b2')
    expect(await listed(a)).toEqual([['k', 'a']])
    expect(await listed(b)).toEqual([
      ['k', 'b'],
      ['with:colon', 'b2'],
    ])
  })

  it('tells apart several Keyv on one store, for every call that carries a key', async () => {
    const store = new KeyvPgStore(stash)
    const [a, b] = [fresh(), fresh()].map((namespace) => new Keyv({ store, namespace })) as [Keyv, Keyv]
    await Promise.all([a.set('k', 'a'), b.set('k', 'b'), a.set('only', 1)])
    await b.setMany([{ key: 'm', value: 'b' }])
    expect([await a.get('k'), await b.get('k')]).toEqual(['a', 'b'])
    expect(await b.get(['k', 'only', 'm'])).toEqual(['b', undefined, 'b'])
    expect(await a.hasMany(['k', 'only', 'm'])).toEqual([true, true, false])
    expect(await b.delete('only')).toBe(false)
    expect(await b.deleteMany(['k', 'only'])).toBe(true)
    expect(await a.get('k')).toBe('a')
  })

  it('refuses a clear() it cannot attribute, and clears nothing', async () => {
    const store = new KeyvPgStore(stash)
    const [a, b] = [fresh(), fresh()].map((namespace) => new Keyv({ store, namespace })) as [Keyv, Keyv]
    await Promise.all([a.set('k', 'a'), b.set('k', 'b')])
    const onError = vi.fn()
    a.on('error', onError)
    await a.clear()
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ code: 'ERR_PGSTASH_AMBIGUOUS_NAMESPACE' })
    expect([await a.get('k'), await b.get('k')]).toEqual(['a', 'b'])
  })

  it('clears only its own with a view, or a store, for each', async () => {
    const store = new KeyvPgStore(stash)
    const [a, b] = [fresh(), fresh()].map((name) => new Keyv({ store: store.view(name), namespace: name })) as [
      Keyv,
      Keyv,
    ]
    const [c, d] = [fresh(), fresh()].map((namespace) => new Keyv(new KeyvPgStore(stash, { namespace }))) as [
      Keyv,
      Keyv,
    ]
    const all = [a, b, c, d]
    await Promise.all(all.map((keyv, at) => keyv.set('k', at)))
    await a.clear()
    await c.clear()
    expect(await Promise.all(all.map((keyv) => keyv.get('k')))).toEqual([undefined, 1, undefined, 3])
  })

  it('returns what Keyv 5 expects: a boolean of deleteMany, booleans of the others', async () => {
    const keyv = new Keyv(new KeyvPgStore(stash, { namespace: fresh() }))
    expect(await keyv.set('a', 1)).toBe(true)
    expect(await keyv.setMany([{ key: 'b', value: 2 }])).toEqual([true])
    expect(await keyv.delete(['x', 'y'])).toBe(false)
    expect(await keyv.delete(['a', 'y'])).toBe(true)
    expect(await keyv.has('b')).toBe(true)
    expect(await keyv.has(['a', 'b'])).toEqual([false, true])
  })

  it('takes the last of duplicate keys in one setMany', async () => {
    const keyv = new Keyv(new KeyvPgStore(stash, { namespace: fresh() }))
    await keyv.setMany([
      { key: 'a', value: 1 },
      { key: 'a', value: 2 },
    ])
    expect(await keyv.get('a')).toBe(2)
  })

  it('never returns an expired row, so that Keyv deletes no fresher write', async () => {
    const store = new KeyvPgStore(stash, { namespace: fresh() })
    const keyv = new Keyv(store)
    const deleted = vi.spyOn(store, 'delete')
    await keyv.set('a', 1, 30)
    expect(await stash.namespace(store.namespace ?? '').get('a')).toBeUndefined()
    await sleep(60)
    expect(await keyv.get('a')).toBeUndefined()
    expect(deleted).not.toHaveBeenCalled()
  })

  it('takes 0 and undefined as for ever, and a negative ttl as over', async () => {
    const store = new KeyvPgStore(stash)
    const namespace = fresh()
    const keyv = new Keyv({ store, namespace })
    await keyv.set('zero', 1, 0)
    await keyv.set('none', 1)
    await keyv.set('over', 1)
    await keyv.set('over', 2, -1)
    const cache = stash.namespace(namespace)
    expect([await cache.ttl('zero'), await cache.ttl('none'), await cache.ttl('over')]).toEqual([null, null, undefined])
  })

  it('stores objects where serialization is off', async () => {
    const namespace = fresh()
    const keyv = new Keyv({ store: new KeyvPgStore(stash), namespace, serialize: undefined, deserialize: undefined })
    await keyv.set('a', { deep: [1] }, 60_000)
    expect(await keyv.get('a')).toEqual({ deep: [1] })
    expect(await stash.namespace(namespace).get('a')).toMatchObject({ value: { deep: [1] } })
  })

  it('works without the prefix', async () => {
    const keyv = new Keyv({ store: new KeyvPgStore(stash, { namespace: fresh() }), useKeyPrefix: false })
    await keyv.set('a', 1)
    await keyv.set('b:c', 2)
    expect(await keyv.get(['a', 'b:c'])).toEqual([1, 2])
    expect(await listed(keyv)).toEqual([
      ['a', 1],
      ['b:c', 2],
    ])
  })

  it('follows a changed namespace', async () => {
    const keyv = new Keyv({ store: new KeyvPgStore(stash), namespace: fresh() })
    await keyv.set('k', 'first')
    const first = keyv.namespace
    keyv.namespace = fresh()
    expect(await keyv.get('k')).toBeUndefined()
    await keyv.set('k', 'second')
    await keyv.clear()
    expect(await keyv.get('k')).toBeUndefined()
    keyv.namespace = first
    expect(await keyv.get('k')).toBe('first')
  })

  it('is not confused by others who listen for errors, or call the store', async () => {
    const store = new KeyvPgStore(stash)
    store.on('error', () => {})
    const keyv = new Keyv({ store, namespace: fresh() })
    store.on('error', () => {})
    await store.get('health').catch(() => {})
    await keyv.set('a', 1)
    expect(await keyv.get('a')).toBe(1)
    expect(await listed(keyv)).toEqual([['a', 1]])
  })

  it('costs the same however many Keyv came and went', async () => {
    const store = new KeyvPgStore(stash)
    const namespace = fresh()
    await new Keyv({ store, namespace }).set('a', 1)
    for (let made = 0; made < 5_000; made += 1) new Keyv({ store, namespace })
    expect(await new Keyv({ store, namespace }).get('a')).toBe(1)
    expect(store.namespace).toBe(namespace)
  })

  it('asks for the tenant at every call', async () => {
    let tenant: string | undefined = 'a'
    const keyv = createKeyv(Keyv, { stash, namespace: fresh(), tenant: () => tenant, keyv: { throwOnErrors: true } })
    await keyv.set('k', 'of a')
    tenant = 'b'
    expect(await keyv.get('k')).toBeUndefined()
    await keyv.set('k', 'of b')
    tenant = 'a'
    expect(await keyv.get('k')).toBe('of a')
    tenant = undefined
    await expect(keyv.get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_TENANT_REQUIRED' })
  })

  it('closes what it opened, when the last Keyv on it disconnects; nothing else', async () => {
    const own = new KeyvPgStore({ ...body.connection(), schema: freshSchema() })
    const [a, b] = [new Keyv({ store: own, namespace: 'a' }), new Keyv({ store: own, namespace: 'b' })]
    await a.set('k', 1)
    await a.disconnect()
    expect(await b.set('k', 2)).toBe(true)
    await b.disconnect()
    await expect(own.get('b:k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })

    const [c, d] = [new Keyv(new KeyvPgStore(stash)), new Keyv(new KeyvPgStore(stash))]
    await c.disconnect()
    expect(await d.set('k', 1)).toBe(true)
  })
})

async function listed(keyv: Keyv): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const entry of keyv.iterator?.(undefined) ?? []) found.push(entry)
  return found
}
