import fc from 'fast-check'
import { mostly, nasty, nastyStrings } from './nasty'
import { among, objectOf, oneOf, type Recipe } from './recipe'
import type { World } from './world'

/** A method under fire. */
export interface FuzzedCall {
  readonly name: string
  readonly args: readonly fc.Arbitrary<Recipe>[]
  run(world: World, ...args: never[]): unknown
  isRight(answer: unknown, args: readonly unknown[]): boolean
  readonly allowed: readonly string[]
  readonly isPromised: boolean
}

export type IsRight = (answer: unknown, args: readonly unknown[]) => boolean

interface Exceptions {
  readonly allowed?: readonly string[]
  /** Answers, or fails, at once. */
  readonly throws?: boolean
}

export function fuzzed(
  name: string,
  args: readonly fc.Arbitrary<Recipe>[],
  run: (world: World, ...args: never[]) => unknown,
  isRight: IsRight = isAnything,
  { allowed = [], throws = false }: Exceptions = {},
): FuzzedCall {
  return { name, args, run, isRight, allowed, isPromised: !throws }
}

// What is good in a place, and what is bad there more often than elsewhere.

export const keys = mostly(
  among('k', 'k2', 'user:1', '%', '_', '__proto__', '', "'", '\\', `#sha256:${'0'.repeat(64)}`, 'x'.repeat(2_000)),
  fc.oneof(nasty, nastyStrings),
)

export const values = mostly(among(1, -5, 1.5, 'text', '', null, true, { a: [1] }, [1, null], '\0', '\x1e'))

export const ttls = mostly(among(undefined, null, 60_000, 1.5, Number.POSITIVE_INFINITY, Number.MAX_VALUE, 1))

const signals = mostly(
  oneOf({
    undefined: () => undefined,
    'a signal': () => new AbortController().signal,
    'AbortSignal.abort()': () => AbortSignal.abort(),
    'AbortSignal.abort(null)': () => AbortSignal.abort(null),
    'AbortSignal.timeout(0)': () => AbortSignal.timeout(0),
  }),
)

export function optionsOf(fields: Readonly<Record<string, fc.Arbitrary<Recipe>>> = {}): fc.Arbitrary<Recipe> {
  return mostly(objectOf({ ...fields, signal: signals }))
}

export const callOptions = optionsOf()

// What is right.

export const isAnything = (): boolean => true
export const isNothing: IsRight = (answer) => answer === undefined
export const isBoolean: IsRight = (answer) => typeof answer === 'boolean'
export const isCount: IsRight = (answer) => Number.isSafeInteger(answer) && (answer as number) >= 0

export function isKey(key: unknown): boolean {
  return typeof key === 'string' && !key.includes('\0') && (key as string & { isWellFormed(): boolean }).isWellFormed()
}

export function isTtl(ttl: unknown): boolean {
  return ttl === undefined || ttl === null || (typeof ttl === 'number' && ttl > 0)
}

/** The first argument is a key, or the call had to be refused. */
export function ofKey(isRight: IsRight): IsRight {
  return (answer, args) => isKey(args[0]) && isRight(answer, args)
}

/** The first argument is a list of keys, and the answer one of as many. */
export function ofKeys(isRight: (answer: unknown) => boolean): IsRight {
  return (answer, [keys]) =>
    Array.isArray(keys) &&
    Array.from(keys).every(isKey) &&
    Array.isArray(answer) &&
    answer.length === keys.length &&
    Array.from(answer).every(isRight)
}
