import fc from 'fast-check'
import { PgCacheManagerStore, pgStore4 } from '../../src/adapters/cache-manager/store'
import { createKeyv, KeyvPgStore } from '../../src/adapters/keyv/store'
import { answered } from './callback'
import {
  type FuzzedCall,
  fuzzed,
  type IsRight,
  isAnything,
  isBoolean,
  isKey,
  isNothing,
  keys,
  ofKey,
  ofKeys,
  ttls,
  values,
} from './fuzzed-call'
import { holed, mostly, nasty, nastyButFunctions, nastyNumbers, nastyStrings } from './nasty'
import { among, listOf, objectOf, oneOf } from './recipe'
import type { World } from './world'

const stashes = mostly(oneOf({ 'the stash': ({ stash }) => stash }))
const tenants = mostly(fc.oneof(among('k', 5, undefined), oneOf({ "() => 'k'": () => () => 'k' })))
const names = mostly(among('k', 'fuzz', undefined), fc.oneof(nasty, nastyStrings))
const versions = mostly(among(1, undefined), nastyNumbers)
const limits = mostly(among(undefined, 60_000, 0), fc.oneof(nasty, nastyNumbers))
const lists = mostly(listOf(keys), fc.oneof(nasty, holed))

const construction = { throws: true, allowed: ['CONNECTION', 'TIMEOUT', 'CIRCUIT_OPEN'] }

const storeOptions = {
  tenant: tenants,
  namespace: names,
  version: versions,
  contract: mostly(among('keyv5', 'keyv6', undefined)),
}
const keyvSources = mostly(fc.oneof(objectOf({ ...storeOptions, stash: stashes }, ['stash']), stashes))
const keyvOptions = mostly(objectOf(storeOptions))
const contracts = ['keyv5', 'keyv6', undefined] as const
let turn = 0

const keyvOf = ({ stash }: World, namespace = 'fuzz') =>
  new KeyvPgStore(stash, { namespace, contract: contracts[turn++ % contracts.length] })

async function useKeyv(store: KeyvPgStore): Promise<void> {
  try {
    await store.set('k', 1, 60_000)
    await store.get('k')
  } finally {
    await store.disconnect()
  }
}

/** What a Keyv does to a store that it is given, as far as the store can tell. */
class FakeKeyv {
  constructor(
    readonly store: KeyvPgStore,
    readonly options: unknown,
  ) {}
}

async function listed(list: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const one of list) found.push(one)
  return found
}

const isList: IsRight = (answer) => Array.isArray(answer)

const keyvCalls = [
  fuzzed(
    'new KeyvPgStore',
    [keyvSources, keyvOptions],
    (_, ...args) => useKeyv(new KeyvPgStore(...(args as [never]))),
    isAnything,
    construction,
  ),
  fuzzed(
    'createKeyv',
    [mostly(objectOf({ ...storeOptions, stash: stashes, keyv: nasty }, ['stash']))],
    (_, options) => useKeyv(createKeyv(FakeKeyv, options).store),
    isAnything,
    construction,
  ),
  fuzzed('KeyvPgStore.view', [names], (world, name) => keyvOf(world).view(name).get('k'), isAnything, { throws: true }),
  fuzzed(
    'KeyvPgStore.on',
    [mostly(among('error')), nasty],
    (world, event, listener) => void keyvOf(world).on(event, listener),
    isNothing,
    { throws: true },
  ),
  fuzzed(
    'KeyvPgStore.namespace =',
    [names, keys],
    (world, namespace, key) => {
      const store = keyvOf(world)
      store.namespace = namespace
      return store.get(key)
    },
    isAnything,
    { throws: true },
  ),
  fuzzed(
    'KeyvPgStore.on, namespace =, iterator',
    [names, names],
    (world, namespace, asked) => {
      const store = keyvOf(world)
      store.on('error', () => {})
      store.namespace = namespace
      return listed(store.iterator(asked))
    },
    isList,
    { throws: true },
  ),
  fuzzed('KeyvPgStore.iterator', [names], (world, namespace) => listed(keyvOf(world).iterator(namespace)), isList),
  fuzzed('KeyvPgStore.get', [keys], (world, key) => keyvOf(world).get(key), ofKey(isAnything)),
  fuzzed('KeyvPgStore.getMany', [lists], (world, list) => keyvOf(world).getMany(list), ofKeys(isAnything)),
  fuzzed('KeyvPgStore.has', [keys], (world, key) => keyvOf(world).has(key), ofKey(isBoolean)),
  fuzzed(
    'KeyvPgStore.hasMany',
    [lists],
    (world, list) => keyvOf(world).hasMany(list),
    ofKeys((one) => isBoolean(one, [])),
  ),
  fuzzed(
    'KeyvPgStore.set',
    [keys, values, limits],
    (world, key, value, limit) => keyvOf(world).set(key, value, limit),
    ofKey(isBoolean),
  ),
  fuzzed(
    'KeyvPgStore.setMany',
    [mostly(listOf(mostly(objectOf({ key: keys, value: values, ttl: limits, expires: limits }, ['key', 'value']))))],
    (world, entries) => keyvOf(world).setMany(entries),
    (answer, [entries]) =>
      isList(answer, []) && Array.from(entries as { key: unknown }[]).every(({ key }) => isKey(key)),
  ),
  fuzzed('KeyvPgStore.delete', [keys], (world, key) => keyvOf(world).delete(key), ofKey(isBoolean)),
  fuzzed(
    'KeyvPgStore.deleteMany',
    [lists],
    (world, list) => keyvOf(world).deleteMany(list),
    (_, [list]) => Array.from(list as unknown[]).every(isKey),
  ),
  fuzzed(
    'KeyvPgStore.clear',
    [nasty],
    (world, ...extra) => keyvOf(world, 'cleared').clear(...(extra as [])),
    isNothing,
  ),
  fuzzed('KeyvPgStore.disconnect', [nasty], (world, ...extra) => keyvOf(world).disconnect(...(extra as [])), isNothing),
]

const managerOptions = mostly(
  objectOf(
    {
      stash: stashes,
      tenant: tenants,
      namespace: names,
      version: versions,
      ttl: ttls,
      isCacheable: mostly(oneOf({ '() => true': () => () => true })),
      refreshThreshold: nasty,
      onBackgroundRefreshError: nasty,
    },
    ['stash'],
  ),
)
const managerOf = ({ stash }: World, namespace = 'fuzz') => new PgCacheManagerStore({ stash, namespace })
const goodPatterns = among(undefined, '*', 'user:*', '[a-')
const patterns = mostly(goodPatterns)

async function useManager(store: PgCacheManagerStore): Promise<void> {
  try {
    await store.set('k', 1)
    await store.get('k')
  } finally {
    await store.disconnect()
  }
}

const managerCalls = [
  fuzzed(
    'new PgCacheManagerStore',
    [managerOptions],
    (_, options) => useManager(new PgCacheManagerStore(options)),
    isAnything,
    construction,
  ),
  fuzzed('PgCacheManagerStore.isCacheable', [nasty], (world, value) => managerOf(world).isCacheable(value), isBoolean, {
    throws: true,
  }),
  fuzzed('PgCacheManagerStore.get', [keys], (world, key) => managerOf(world).get(key), ofKey(isAnything)),
  fuzzed(
    'PgCacheManagerStore.set',
    [keys, values, limits],
    (world, key, value, ttl) => managerOf(world).set(key, value, ttl),
    ofKey(isNothing),
  ),
  fuzzed('PgCacheManagerStore.del', [keys], (world, key) => managerOf(world).del(key), ofKey(isNothing)),
  fuzzed(
    'PgCacheManagerStore.reset',
    [nasty],
    (world, ...extra) => managerOf(world, 'cleared').reset(...(extra as [])),
    isNothing,
  ),
  fuzzed(
    'PgCacheManagerStore.mget',
    [keys, keys],
    (world, ...list) => managerOf(world).mget(...list),
    (answer, list) => list.every(isKey) && isList(answer, []),
  ),
  fuzzed(
    'PgCacheManagerStore.mset',
    [
      mostly(listOf(mostly(fc.tuple(keys, values).chain(([key, value]) => listOf(fc.constantFrom(key, value)))))),
      limits,
    ],
    (world, pairs, ttl) => managerOf(world).mset(pairs, ttl),
    (answer, [pairs]) => isNothing(answer, []) && Array.from(pairs as unknown[][]).every(([key]) => isKey(key)),
  ),
  fuzzed(
    'PgCacheManagerStore.mdel',
    [keys, keys],
    (world, ...list) => managerOf(world).mdel(...list),
    (_, list) => list.every(isKey),
  ),
  fuzzed('PgCacheManagerStore.keys', [patterns], (world, pattern) => managerOf(world).keys(pattern), isList),
  fuzzed(
    'PgCacheManagerStore.ttl',
    [keys],
    (world, key) => managerOf(world).ttl(key),
    ofKey((answer) => Number.isSafeInteger(answer)),
  ),
  fuzzed(
    'PgCacheManagerStore.disconnect',
    [nasty],
    (world, ...extra) => managerOf(world).disconnect(...(extra as [])),
    isNothing,
  ),
]

const seconds = mostly(fc.oneof(objectOf({ ttl: limits }), among(5, undefined)), nastyButFunctions)
const manager4Of = ({ stash }: World, namespace = 'fuzz') => pgStore4.create({ stash, namespace })
const keys4 = mostly(keys, nastyButFunctions)

const manager4Calls = [
  fuzzed(
    'pgStore4.create',
    [managerOptions],
    (_, options) => pgStore4.create(options).get('k'),
    isAnything,
    construction,
  ),
  fuzzed(
    'pgStore4 get',
    [keys4, seconds],
    (world, ...args) => manager4Of(world).get(...(args as never as [never])),
    ofKey(isAnything),
  ),
  fuzzed(
    'pgStore4 get with a callback',
    [keys4, seconds],
    (world, ...args) => answered((callback) => manager4Of(world).get(...(args as never as [never]), callback)),
    ofKey(isAnything),
  ),
  fuzzed(
    'pgStore4 set',
    [keys4, values, seconds],
    (world, ...args) => manager4Of(world).set(...(args as never as [never, never])),
    ofKey(isAnything),
  ),
  fuzzed(
    'pgStore4 set with a callback',
    [keys4, values, seconds],
    (world, ...args) => answered((callback) => manager4Of(world).set(...(args as never as [never, never]), callback)),
    ofKey(isAnything),
  ),
  fuzzed('pgStore4 del', [keys4, keys4, seconds], (world, ...args) => manager4Of(world).del(...args)),
  fuzzed('pgStore4 reset', [nastyButFunctions], (world, ...args) => manager4Of(world, 'cleared').reset(...args)),
  fuzzed('pgStore4 mget', [keys4, keys4, seconds], (world, ...args) => manager4Of(world).mget(...args)),
  fuzzed('pgStore4 mset', [keys4, values, keys4, mostly(values, nastyButFunctions), seconds], (world, ...args) =>
    manager4Of(world).mset(...args),
  ),
  fuzzed('pgStore4 mset with a callback', [keys4, values, seconds], (world, ...args) =>
    answered((callback) => manager4Of(world).mset(...args, callback as never)),
  ),
  fuzzed('pgStore4 keys', [mostly(goodPatterns, nastyButFunctions)], (world, ...args) =>
    manager4Of(world).keys(...args),
  ),
  fuzzed('pgStore4 ttl', [keys4, seconds], (world, ...args) => manager4Of(world).ttl(...(args as never as [never]))),
  fuzzed('pgStore4 isCacheableValue', [nasty], (world, value) => manager4Of(world).isCacheableValue(value), isBoolean, {
    throws: true,
  }),
]

export const storeCalls: readonly FuzzedCall[] = [...keyvCalls, ...managerCalls, ...manager4Calls]
