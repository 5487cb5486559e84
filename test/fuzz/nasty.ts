import fc from 'fast-check'
import { among, oneOf, plain, type Recipe } from './recipe'

/** What the arguments themselves throw: it may come through. */
export class CallersError extends Error {}

/** Thrown by arguments that throw no Error. */
export const callersWord = 'thrown by the caller'

function blame(): never {
  throw new CallersError('from an argument')
}

/** Whatever is asked of it. */
function throwingProxy(): unknown {
  return new Proxy({}, Object.fromEntries(Reflect.ownKeys(Reflect).map((trap) => [trap, blame])))
}

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function cycle(): unknown {
  const self: Record<string, unknown> = { cookie: {} }
  self.self = self
  return self
}

function throwing(error: unknown): () => never {
  return () => {
    throw error
  }
}

/** Of every kind the language has but strings, numbers and functions. */
const nastyThings = oneOf({
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  '1n': () => 1n,
  'Symbol()': () => Symbol('nasty'),
  '{}': () => ({}),
  'Object.create(null)': () => Object.create(null),
  '[]': () => [],
  'new Array(3)': () => new Array(3),
  'new Date()': () => new Date(),
  'new Date(NaN)': () => new Date(Number.NaN),
  'new Date(8.64e15)': () => new Date(8.64e15),
  'new Map([["k", 1]])': () => new Map([['k', 1]]),
  'new Set(["k"])': () => new Set(['k']),
  'new WeakMap()': () => new WeakMap(),
  '/k/g': () => /k/g,
  'new Error()': () => new Error('a value'),
  'new String("k")': () => new String('k'),
  'new Number(5)': () => new Number(5),
  'Object(1n)': () => Object(1n),
  'new Uint8Array(3)': () => new Uint8Array(3),
  'a detached Uint8Array': () => {
    const bytes = new Uint8Array(3)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    return bytes
  },
  'new Float64Array([NaN])': () => new Float64Array([Number.NaN]),
  'new BigInt64Array(1)': () => new BigInt64Array(1),
  'new ArrayBuffer(3)': () => new ArrayBuffer(3),
  'new DataView(…)': () => new DataView(new ArrayBuffer(3)),
  'Promise.resolve("k")': () => Promise.resolve('k'),
  'a promise that rejects': () => {
    const rejected = Promise.reject(new CallersError('from a promise'))
    rejected.catch(() => {})
    return rejected
  },
  '{ then: throws }': () => Object.defineProperty({}, 'then', { get: blame }),
  'new AbortController()': () => new AbortController(),
  'AbortSignal.abort()': () => AbortSignal.abort(),
  'a proxy that throws': throwingProxy,
  'a revoked proxy': revokedProxy,
  'a cycle': cycle,
  '{ n: 1n }': () => ({ n: 1n }),
  '{ f() {} }': () => ({ f() {} }),
  '{ toJSON: throws }': () => ({ toJSON: blame }),
  '{ toJSON: throws undefined }': () => ({ toJSON: throwing(undefined) }),
  '{ toJSON: throws a string }': () => ({ toJSON: throwing(callersWord) }),
  '{ toJSON: () => undefined }': () => ({ toJSON: () => undefined }),
  '{ toJSON: () => null }': () => ({ toJSON: () => null }),
  '{ toJSON: () => "text" }': () => ({ toJSON: () => 'text' }),
  '{ toJSON: 5 }': () => ({ toJSON: 5 }),
  '{ toString: throws, valueOf: throws }': () => ({ toString: blame, valueOf: blame }),
  '{ [Symbol.toPrimitive]: throws }': () => ({ [Symbol.toPrimitive]: blame }),
  '{ [Symbol.iterator]: throws }': () => ({ [Symbol.iterator]: blame }),
  '{ get every field: throws }': () => withThrowingGetters(),
  '{ own __proto__ }': () => JSON.parse('{"__proto__": {"polluted": true}}'),
  '{ "\\0": "\\0", "\\ud800": "\\ud800" }': () => ({ '\0': '\0', '\ud800': '\ud800' }),
  'an object 5,000 deep': () => JSON.parse(`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`),
})

/** The names that anything of this package reads. */
const readFields =
  'signal ttl ifVersion version prefix match except key value cookie expires maxAge stash tenant namespace limit windowMs cost username ip'

function withThrowingGetters(): unknown {
  const getters = readFields.split(' ').map((name) => [name, { get: blame, enumerable: true }] as const)
  return Object.defineProperties({}, Object.fromEntries(getters))
}

/** Lists that skip places: `map` does not call for those. */
export const holed = oneOf({
  '[, "k"]': () => Object.assign(new Array(2), { 1: 'k' }),
  '[, { key, value }]': () => Object.assign(new Array(2), { 1: { key: 'k', value: 1 } }),
  'new Array(2)': () => new Array(2),
})

export const nastyNumbers = fc.oneof(
  among(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, -1, 0.5, 1.5, Number.MIN_VALUE),
  among(
    Number.MAX_VALUE,
    -Number.MAX_VALUE,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2 ** 53,
    2 ** 31,
    2 ** 63,
  ),
  among(3_155_760_000_000, 3_155_760_000_001, 1e12, 1e15, 1_000_000_000, 1_000_000_001),
  plain(fc.double()),
  plain(fc.maxSafeInteger()),
)

const nastyUnit = fc.constantFrom(
  '\0',
  '\ud800',
  '\udfff',
  '%',
  '_',
  "'",
  '"',
  '\\',
  '$1',
  '*',
  '[',
  ']',
  '?',
  '\u{10ffff}',
  'é',
)

export const nastyStrings = fc.oneof(
  among(
    '',
    ' ',
    '\0',
    'a\0b',
    '\ud800',
    '\udc00x',
    '%',
    '_',
    '\\',
    "'; drop table entry; --",
    '"',
    '$1',
    '{}',
    '{NULL}',
    'NULL',
  ),
  among('#sha256:', `#sha256:${'0'.repeat(64)}`, `#sha256:${'x'.repeat(64)}`, '__proto__', 'constructor', 'toString'),
  among(
    'views@v2',
    '\x1e',
    '\x1e\x1f\x1d',
    '\ufeff',
    '\uffff',
    '\u{10ffff}',
    '\u202e',
    'e\u0301',
    'NaN',
    '5',
    '-1',
    'true',
  ),
  among('x'.repeat(257), 'x'.repeat(1_025), 'é'.repeat(2_000), 'x'.repeat(200_000), '\u{10ffff}'.repeat(600)),
  plain(fc.string({ unit: nastyUnit, maxLength: 12 })),
  plain(fc.string({ unit: 'binary', maxLength: 40 })),
)

/** Those that are called by the library outside of a promise must not throw: that would be the host's. */
const quietFunctions = oneOf({
  '() => 1': () => () => 1,
  'async () => 1': () => async () => 1,
})

const loudFunctions = oneOf({
  '() => { throw … }': () => blame,
  '() => { throw undefined }': () => throwing(undefined),
  '() => ({})': () => () => ({}),
  '() => Symbol()': () => () => Symbol('nasty'),
  '() => NaN': () => () => Number.NaN,
})

export const nasty = fc.oneof(
  { weight: 1, arbitrary: among(undefined, null) },
  { weight: 6, arbitrary: nastyThings },
  { weight: 2, arbitrary: nastyNumbers },
  { weight: 2, arbitrary: nastyStrings },
  { weight: 1, arbitrary: quietFunctions },
  { weight: 1, arbitrary: loudFunctions },
)

/** Where a function in the last place is a callback. */
export const nastyButFunctions = fc.oneof(
  { weight: 1, arbitrary: among(undefined, null) },
  { weight: 6, arbitrary: nastyThings },
  { weight: 2, arbitrary: nastyNumbers },
  { weight: 2, arbitrary: nastyStrings },
)

/** Where names of hosts go: nothing here is asked of a name server. */
export const nastyButText = fc.oneof({ weight: 3, arbitrary: nastyThings }, { weight: 1, arbitrary: nastyNumbers })

/** Good in most places of a call, or the others would never be reached. */
export function mostly(good: fc.Arbitrary<Recipe>, bad = nasty): fc.Arbitrary<Recipe> {
  return fc.oneof({ weight: 2, arbitrary: good }, { weight: 1, arbitrary: bad })
}
