import fc from 'fast-check'
import {
  callOptions,
  type FuzzedCall,
  fuzzed,
  isAnything,
  isBoolean,
  isCount,
  isKey,
  isNothing,
  isTtl,
  keys,
  ofKey,
  ofKeys,
  optionsOf,
  ttls,
  values,
} from './fuzzed-call'
import { holed, mostly, nasty, nastyNumbers } from './nasty'
import { among, listOf, objectOf } from './recipe'

const lists = mostly(listOf(keys), fc.oneof(nasty, holed))
const writeOptions = optionsOf({ ttl: ttls })
const prefixes = mostly(among('k', 'user:', '%', '_', '\u{10ffff}'))
const listOptions = optionsOf({
  prefix: prefixes,
  match: mostly(among('*', 'user:*', '[a-', '[^]', '\\', '?', '[[:alpha:]]')),
})
const versions = mostly(among(1, 2, 1_000_000), nastyNumbers)
const entries = mostly(listOf(mostly(objectOf({ key: keys, value: values, ttl: ttls }))), fc.oneof(nasty, holed))

const isTtlAnswer = (ttl: unknown) => ttl === undefined || ttl === null || isCount(ttl, [])
const isWritten = (answer: unknown) => Number.isSafeInteger((answer as { version?: unknown }).version)
const ttlOf = (options: unknown) => (options as { ttl?: unknown } | null | undefined)?.ttl
const isArray = (answer: unknown) => Array.isArray(answer)

export const cacheCalls: readonly FuzzedCall[] = [
  fuzzed('Cache.get', [keys, callOptions], ({ cache }, ...args) => cache.get(...(args as [never])), ofKey(isAnything)),
  fuzzed(
    'Cache.getMany',
    [lists, callOptions],
    ({ cache }, list, options) => cache.getMany(list, options),
    ofKeys(isAnything),
  ),
  fuzzed(
    'Cache.getEntry',
    [keys, callOptions],
    ({ cache }, key, options) => cache.getEntry(key, options),
    ofKey(isAnything),
  ),
  fuzzed('Cache.has', [keys, callOptions], ({ cache }, key, options) => cache.has(key, options), ofKey(isBoolean)),
  fuzzed(
    'Cache.hasMany',
    [lists, callOptions],
    ({ cache }, list, options) => cache.hasMany(list, options),
    ofKeys((one) => isBoolean(one, [])),
  ),
  fuzzed('Cache.ttl', [keys, callOptions], ({ cache }, key, options) => cache.ttl(key, options), ofKey(isTtlAnswer)),
  fuzzed(
    'Cache.set',
    [keys, values, optionsOf({ ttl: ttls, ifVersion: versions })],
    ({ cache }, key, value, options) => cache.set(key, value, options),
    (answer, [key, , options]) => isKey(key) && isTtl(ttlOf(options)) && isWritten(answer),
  ),
  fuzzed(
    'Cache.setMany',
    [entries, callOptions],
    ({ cache }, list, options) => cache.setMany(list, options),
    (answer, [list]) =>
      Array.isArray(list) &&
      Array.from(list).every((entry) => isKey(entry.key) && isTtl(entry.ttl)) &&
      (answer as unknown[]).length === list.length &&
      Array.from(answer as unknown[]).every(isWritten),
  ),
  fuzzed(
    'Cache.add',
    [keys, values, writeOptions],
    ({ cache }, key, value, options) => cache.add(key, value, options),
    (answer, [key, , options]) => isKey(key) && isTtl(ttlOf(options)) && isBoolean(answer, []),
  ),
  fuzzed(
    'Cache.compareAndSet',
    [keys, versions, values, writeOptions],
    ({ cache }, key, version, value, options) => cache.compareAndSet(key, version, value, options),
    (answer, [key, version]) => isKey(key) && isCount(version, []) && isBoolean((answer as { ok: unknown }).ok, []),
  ),
  fuzzed(
    'Cache.increment',
    [keys, mostly(among(1, -3, undefined), nastyNumbers), writeOptions],
    ({ cache }, key, by, options) => cache.increment(key, by, options),
    (answer, [key, by]) => isKey(key) && Number.isSafeInteger(by ?? 1) && Number.isSafeInteger(answer),
  ),
  fuzzed(
    'Cache.touch',
    [keys, ttls, callOptions],
    ({ cache }, key, ttl, options) => cache.touch(key, ttl, options),
    (answer, [key, ttl]) => isKey(key) && isTtl(ttl) && isBoolean(answer, []),
  ),
  fuzzed(
    'Cache.delete',
    [keys, callOptions],
    ({ cache }, key, options) => cache.delete(key, options),
    ofKey(isBoolean),
  ),
  fuzzed(
    'Cache.deleteMany',
    [lists, callOptions],
    ({ cache }, list, options) => cache.deleteMany(list, options),
    ofKeys((one) => isBoolean(one, [])),
  ),
  fuzzed('Cache.take', [keys, callOptions], ({ cache }, key, options) => cache.take(key, options), ofKey(isAnything)),
  fuzzed(
    'Cache.deleteByPrefix',
    [mostly(prefixes), callOptions],
    ({ cleared }, prefix, options) => cleared.deleteByPrefix(prefix, options),
    ofKey(isCount),
  ),
  fuzzed('Cache.clear', [callOptions], ({ cleared }, options) => cleared.clear(options), isNothing),
  fuzzed('Cache.keys', [listOptions], ({ cache }, options) => listed(() => cache.keys(options)), isArray),
  fuzzed('Cache.entries', [listOptions], ({ cache }, options) => listed(() => cache.entries(options)), isArray),
  fuzzed(
    'Cache.set, then get',
    [keys, mostly(values, nasty)],
    async ({ stash, fresh }, key, value) => {
      const cache = stash.namespace(fresh())
      await cache.set(key, value)
      return cache.get(key)
    },
    (answer, [key, value]) => isKey(key) && isSame(answer, value),
  ),
]

async function listed(list: () => AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const one of list()) found.push(one)
  return found
}

/** Bytes as they were, the rest as JSON has it. */
function isSame(answer: unknown, given: unknown): boolean {
  if (given instanceof Uint8Array) return Buffer.compare(answer as Buffer, given) === 0
  return JSON.stringify(answer) === JSON.stringify(given)
}
