import { createHash } from 'node:crypto'
import { InvalidArgumentError } from '../errors'
import { isWellFormed } from './tenant'

/** A B-tree row holds 2,704 bytes; 256 of tenant, 512 of namespace and this leave room for its headers. */
const maxStoredKeyBytes = 1024

/** What the keys stored by digest begin with. */
export const digestMark = '#sha256:'

/** UTF-8 takes at most three bytes for each UTF-16 unit: shorter strings need no counting. */
const certainlyShort = Math.floor(maxStoredKeyBytes / 3)

/** A key as the index holds it, and as the caller wrote it where that is something else. */
export interface StoredKey {
  readonly key: string
  readonly longKey: string | null
}

/**
 * Long keys are stored by digest with the full key beside it; so is any key that looks like such a digest, which keeps
 * the two kinds apart.
 * @throws {InvalidArgumentError} no string, with NUL, or with half a surrogate pair
 */
export function storedKey(key: unknown): StoredKey {
  const text = assertKey(key)
  return fitsIndex(text) ? { key: text, longKey: null } : { key: digestOf(text), longKey: text }
}

/** {@link storedKey} for reading, where only the index is asked: no object is made. */
export function indexKey(key: unknown): string {
  const text = assertKey(key)
  return fitsIndex(text) ? text : digestOf(text)
}

/** @throws {InvalidArgumentError} no string, with NUL, or with half a surrogate pair */
export function assertKey(key: unknown): string {
  if (typeof key !== 'string') {
    throw new InvalidArgumentError(
      'key',
      `must be a string (this is of type ${key === null ? 'null' : typeof key})`,
      'Convert it with String(key).',
    )
  }
  if (key.includes('\0')) {
    throw new InvalidArgumentError('key', 'contains a NUL character', 'PostgreSQL cannot store it: encode the key.')
  }
  if (!isWellFormed(key)) {
    throw new InvalidArgumentError('key', 'contains half a surrogate pair', 'Encode the key as UTF-8 or base64 first.')
  }
  return key
}

function fitsIndex(key: string): boolean {
  if (key.startsWith(digestMark)) return false
  return key.length <= certainlyShort || Buffer.byteLength(key) <= maxStoredKeyBytes
}

export function digestOf(key: string): string {
  return digestMark + createHash('sha256').update(key).digest('hex')
}
