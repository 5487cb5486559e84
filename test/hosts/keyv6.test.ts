import Keyv from 'keyv'
import Keyv6 from 'keyv6'
import { beforeAll, expect, it, vi } from 'vitest'
import { createKeyv, KeyvPgStore } from '../../src/adapters/keyv/store'
import type { PgStash } from '../../src/stash/pg-stash'
import { type Body, describeBodies, describeStrictDefaults, freshSchema } from '../support/bodies'
import { sleep } from '../support/sleep'

/** The contract of Keyv 6 for a storage adapter: there is no suite of its own on the registry. */
const suite = (body: Body) => {
  let stash: PgStash
  let names = 0
  const fresh = () => `n${names++}`
  const keyvOn = (namespace = fresh()) => new Keyv6({ store: new KeyvPgStore(stash), namespace })

  beforeAll(async () => {
    stash = body.open()
    await stash.ready()
  })

  it('is used directly, without a bridge', () => {
    const store = new KeyvPgStore(stash)
    expect(new Keyv6(store).store).toBe(store)
    expect(store.capabilities).toMatchObject({
      expires: true,
      store: 'keyvStorage',
      methods: { iterator: { exists: true } },
    })
  })

  it('sets, gets, has, deletes', async () => {
    const keyv = keyvOn()
    expect(await keyv.set('a', { n: 1 })).toBe(true)
    expect(await keyv.get('a')).toEqual({ n: 1 })
    expect(await keyv.has('a')).toBe(true)
    expect(await keyv.delete('a')).toBe(true)
    expect(await keyv.delete('a')).toBe(false)
    expect(await keyv.get('a')).toBeUndefined()
    expect(await keyv.has('a')).toBe(false)
  })

  it('answers boolean[] for every batch', async () => {
    const keyv = keyvOn()
    expect(
      await keyv.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: 2 },
      ]),
    ).toEqual([true, true])
    expect(await keyv.get(['b', 'x', 'a'])).toEqual([2, undefined, 1])
    expect(await keyv.has(['a', 'x'])).toEqual([true, false])
    expect(await keyv.delete(['a', 'x', 'b'])).toEqual([true, false, true])
  })

  it('takes expires as a moment, to the millisecond of the call', async () => {
    const store = new KeyvPgStore(stash, { namespace: fresh() })
    const keyv = new Keyv6(store)
    await keyv.set('a', 1, 60_000)
    const cache = stash.namespace('n-direct')
    const direct = new KeyvPgStore(stash, { namespace: 'n-direct', contract: 'keyv6' })
    await direct.set('soon', 'x', Date.now() + 5_000)
    expect(await cache.ttl('soon')).toBeLessThanOrEqual(5_000)
    expect(await cache.ttl('soon')).toBeGreaterThan(3_000)
    await keyv.set('b', 1, 30)
    await sleep(60)
    expect([await keyv.get('a'), await keyv.get('b')]).toEqual([1, undefined])
  })

  it('takes an elapsed expires as over: the key is deleted', async () => {
    const store = new KeyvPgStore(stash, { namespace: fresh(), contract: 'keyv6' })
    await store.set('a', 'old')
    expect(await store.set('a', 'new', Date.now() - 1)).toBe(true)
    expect(await store.get('a')).toBeUndefined()
    await store.setMany([
      { key: 'b', value: 'x', expires: Date.now() - 1 },
      { key: 'c', value: 'y', expires: Date.now() + 60_000 },
      { key: 'd', value: 'over', expires: Date.now() - 1 },
      { key: 'd', value: 'fresh' },
    ])
    expect(await store.getMany(['b', 'c', 'd'])).toEqual([undefined, 'y', 'fresh'])
  })

  it('without a Keyv reads the third argument by its size', async () => {
    const namespace = fresh()
    const store = new KeyvPgStore(stash, { namespace })
    await store.set('moment', 'x', Date.now() + 10_000)
    await store.set('ttl', 'x', 10_000)
    const cache = stash.namespace(namespace)
    for (const key of ['moment', 'ttl']) {
      expect(await cache.ttl(key)).toBeLessThanOrEqual(10_000)
      expect(await cache.ttl(key)).toBeGreaterThan(5_000)
    }
  })

  it('keeps namespaces apart', async () => {
    const [a, b] = [keyvOn(), keyvOn()]
    await Promise.all([a.set('k', 'a'), b.set('k', 'b')])
    await a.clear()
    expect([await a.get('k'), await b.get('k')]).toEqual([undefined, 'b'])
  })

  it('lists raw keys of its own namespace', async () => {
    const [a, b] = [keyvOn(), keyvOn()]
    await Promise.all([a.set('x:1', 1), a.set('y', 2), b.set('z', 3), a.set('gone', 1, 1)])
    await sleep(20)
    expect((await listed(a)).sort()).toEqual([
      ['x:1', 1],
      ['y', 2],
    ])
  })

  it('refuses calls it cannot attribute, when Keyv with different namespaces share one store', async () => {
    const store = new KeyvPgStore(stash)
    const a = new Keyv6({ store, namespace: fresh() })
    await a.set('k', 'a')
    const b = new Keyv6({ store, namespace: fresh() })
    const errors = vi.fn()
    for (const keyv of [a, b]) keyv.on('error', errors)
    expect(await b.get('k')).toBeUndefined()
    expect(await b.set('k', 'b')).toBe(false)
    await b.clear()
    expect(errors.mock.calls.map(([error]) => error.code)).toEqual(Array(3).fill('ERR_PGSTASH_AMBIGUOUS_NAMESPACE'))
    expect(await new Keyv6({ store: store.view(a.namespace as string) }).get('k')).toBe('a')
  })

  it('lets pass what has one place only: the same namespace twice, none and the default, a Keyv that renames itself', async () => {
    const name = fresh()
    const store = new KeyvPgStore(stash, { namespace: name })
    const [none, standard, home] = [undefined, 'keyv', name].map((namespace) => new Keyv6({ store, namespace }))
    await none?.set('k', 1)
    expect([await standard?.get('k'), await home?.get('k')]).toEqual([1, 1])
    const alone = keyvOn()
    const [before, after] = [alone.namespace as string, fresh()]
    await alone.set('k', 'before')
    alone.namespace = after
    expect(await alone.get('k')).toBeUndefined()
    await alone.set('k', 'after')
    expect(await listed(alone)).toEqual([['k', 'after']])
    alone.namespace = before
    expect(await alone.get('k')).toBe('before')
  })

  it('refuses once one of several renamed itself, or one that disconnected may still be used', async () => {
    const [first, second] = [fresh(), fresh()]
    const refused = { code: 'ERR_PGSTASH_AMBIGUOUS_NAMESPACE' }
    const renamed = new KeyvPgStore(stash)
    const [, other] = [new Keyv6({ store: renamed, namespace: first }), new Keyv6({ store: renamed, namespace: first })]
    other.namespace = second
    await expect(renamed.get('k')).rejects.toMatchObject(refused)
    other.namespace = first
    await expect(renamed.get('k')).rejects.toMatchObject(refused)
    const left = new KeyvPgStore(stash)
    const early = new Keyv6({ store: left, namespace: first })
    await early.set('k', 'early')
    await early.disconnect()
    new Keyv6({ store: left, namespace: second })
    await expect(left.set('k', 'late')).rejects.toMatchObject(refused)
    expect(await left.view(first).get('k')).toBeDefined()
  })

  it('is refused for a reason: a store that believes the last namespace hands one Keyv the data of another', async () => {
    const believing = new LastNamespaceStore(stash)
    const a = new Keyv6({ store: believing as never, namespace: fresh() })
    await a.set('who', 'a')
    const b = new Keyv6({ store: believing as never, namespace: fresh() })
    await b.set('who', 'b')
    expect(await a.get('who')).toBe('b')
    await a.clear()
    expect(await b.get('who')).toBeUndefined()
  })

  it('lists nothing of another, also in the moment when both attach', async () => {
    const store = new KeyvPgStore(stash)
    const [mine, other] = [fresh(), fresh()]
    await store.view(other).set('secret', 'x')
    const a = new Keyv6({ store, namespace: mine })
    new Keyv6({ store, namespace: other })
    a.on('error', () => {})
    expect(await listed(a)).toEqual([])
  })

  it('keeps a namespace that was given to the store by hand', async () => {
    const store = new KeyvPgStore(stash)
    store.namespace = fresh()
    await new Keyv6({ store }).set('k', 1)
    expect(await stash.namespace(store.namespace).has('k')).toBe(true)
  })

  it('is told from a Keyv 5 that comes in the same moment', async () => {
    const store = new KeyvPgStore(stash)
    const six = new Keyv6({ store: new KeyvPgStore(stash), namespace: fresh() })
    const five = new Keyv({ store, namespace: fresh() })
    await five.set('a', 1, 60_000)
    await six.set('a', 2, 60_000)
    expect([await five.get('a'), await six.get('a')]).toEqual([1, 2])
  })

  it('lets Keyv with one namespace share a store', async () => {
    const store = new KeyvPgStore(stash)
    const namespace = fresh()
    const [a, b] = [new Keyv6({ store, namespace }), new Keyv6({ store, namespace })]
    await a.set('k', 1)
    expect(await b.get('k')).toBe(1)
  })

  it('reads the rows of Keyv 5, and the other way round', async () => {
    const namespace = fresh()
    const five = new Keyv({ store: new KeyvPgStore(stash), namespace })
    const six = keyvOn(namespace)
    await five.set('from five', { n: 5 }, 60_000)
    await six.set('from six', { n: 6 }, 60_000)
    expect([await six.get('from five'), await five.get('from six')]).toEqual([{ n: 5 }, { n: 6 }])
    expect((await listed(six)).map(([key]) => key).sort()).toEqual(['from five', 'from six'])
    await six.clear()
    expect(await five.get('from five')).toBeUndefined()
    const [plain5, plain6] = [new Keyv(new KeyvPgStore(stash)), new Keyv6(new KeyvPgStore(stash))]
    await plain5.set('no namespace named', 1)
    expect(await plain6.get('no namespace named')).toBe(1)
  })

  it('does not bleed when a store is shared by both majors', async () => {
    const store = new KeyvPgStore(stash)
    const namespace = fresh()
    const five = new Keyv({ store, namespace, throwOnErrors: true })
    const six = new Keyv6({ store, namespace })
    six.on('error', () => {})
    await expect(five.set('k', 1)).rejects.toMatchObject({ code: 'ERR_PGSTASH_INVALID_ARGUMENT', field: 'store' })
    expect(await six.get('k')).toBeUndefined()
  })

  it('does not take a curious reader of capabilities for a Keyv 6', async () => {
    const store = new KeyvPgStore(stash)
    expect(store.capabilities.expires).toBe(true)
    await Promise.resolve()
    const five = new Keyv({ store, namespace: fresh() })
    await five.set('a', 1, 60_000)
    expect(await five.deleteMany(['a'])).toBe(true)
  })

  it('round-trips raw envelopes, and values without serialization', async () => {
    const keyv = keyvOn()
    const expires = Date.now() + 60_000
    await keyv.setRaw('raw', { value: 'x', expires })
    expect(await keyv.getRaw('raw')).toEqual({ value: 'x', expires })
    const bare = new Keyv6({ store: new KeyvPgStore(stash), namespace: fresh(), serialization: false })
    await bare.set('a', { deep: [1] })
    expect(await bare.get('a')).toEqual({ deep: [1] })
  })

  it('disconnects alone', async () => {
    const [a, b] = [keyvOn(), keyvOn()]
    await a.disconnect()
    expect(await b.set('k', 1)).toBe(true)
    const own = createKeyv(Keyv6, { ...body.connection(), schema: freshSchema() })
    await own.set('k', 1)
    await own.disconnect()
    own.on('error', () => {})
    expect(await own.get('k')).toBeUndefined()
  })

  it('tells Keyv of errors by rejecting', async () => {
    const keyv = keyvOn()
    const onError = vi.fn()
    keyv.on('error', onError)
    expect(await keyv.get('nul\0')).toBeUndefined()
    expect(await keyv.set('nul\0', 1)).toBe(false)
    expect(onError.mock.calls.map(([error]) => error.field)).toEqual(['key', 'key'])
  })
}

describeBodies('Keyv 6', suite)
describeStrictDefaults('Keyv 6', suite)

async function listed(keyv: Keyv6): Promise<[string, unknown][]> {
  const found: [string, unknown][] = []
  for await (const entry of keyv.iterator()) found.push(entry as [string, unknown])
  return found
}

/** What Keyv 6 asks of a store and no more: `namespace` is a property, and the last who assigns it speaks for all. */
class LastNamespaceStore {
  readonly capabilities = { expires: true, store: 'keyvStorage' }
  namespace: string | undefined

  constructor(private readonly stash: PgStash) {}

  get #cache() {
    return this.stash.namespace(this.namespace ?? 'keyv')
  }

  async get(key: string) {
    return this.#cache.get(key)
  }

  async set(key: string, value: unknown) {
    await this.#cache.set(key, value)
    return true
  }

  async clear() {
    await this.#cache.clear()
  }
}
