import type { CallOptions } from '../../coalescing/call'
import { keyPattern } from '../../entry/key-pattern'
import { assertKnown } from '../../entry/known-options'
import { isWellFormed } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import type { Listing } from '../../postgres/entries/table'

/** Which keys are listed: all that start with `prefix`, literally, and match `match`, a glob as in Redis. */
export interface ListOptions extends CallOptions {
  /** The text that each key starts with, literally. Default: none, all keys. */
  readonly prefix?: string | undefined
  /** A glob as in Redis, for the whole key: `user:*`. Default: none, all keys. */
  readonly match?: string | undefined
}

const listNames: ReadonlySet<string> = new Set(['prefix', 'match', 'signal'])

/** @throws {InvalidArgumentError} an option that there is not, or one that will not do */
export function listing(options: ListOptions | undefined): Listing {
  assertKnown('options', options ?? {}, listNames)
  const { prefix, match } = options ?? {}
  if (prefix !== undefined) assertPrefix(prefix)
  if (match === undefined) return { prefix }
  assertText('match', match, 'Pass a glob such as "user:*".')
  return { prefix, pattern: keyPattern(match) }
}

/** @throws {InvalidArgumentError} no text that a key may begin with */
export function assertPrefix(prefix: unknown): void {
  assertText('prefix', prefix, 'Pass the start of the keys.')
}

function assertText(field: string, text: unknown, nextStep: string): void {
  if (typeof text === 'string' && !text.includes('\0') && isWellFormed(text)) return
  throw new InvalidArgumentError(field, 'must be a string without NUL or half a surrogate pair', nextStep)
}
