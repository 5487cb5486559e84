import { isMap, isNativeError, isSet, isUint8Array } from 'node:util/types'
import { UnserialisableValueError, ValueTooLargeError } from '../errors'
import { isWellFormed } from './tenant'

/** How `value` is to be read: t raw text, j JSON, i integer, b bytes in base64. */
export type Format = 't' | 'j' | 'i' | 'b'

/** A value as the table holds it. */
export interface EncodedValue {
  readonly format: Format
  readonly text: string
}

/**
 * Strings travel as they are (Keyv's envelopes are not encoded twice), integers as integers (so `increment` can add to
 * what `set` stored), bytes as base64, everything else as JSON.
 * @throws {UnserialisableValueError} undefined, a function, a symbol, a BigInt, a cycle, NaN or an infinity
 * @throws {ValueTooLargeError}
 */
export function encodeValue(value: unknown, maxValueBytes: number): EncodedValue {
  const encoded = encode(value)
  assertSize(encoded.text, maxValueBytes)
  return encoded
}

/** The value again; bytes come back as a Buffer. */
export function decodeValue(format: string, text: string): unknown {
  switch (format) {
    case 't':
      return text
    case 'i':
      return Number(text)
    case 'b':
      return Buffer.from(text, 'base64')
    default:
      return JSON.parse(text)
  }
}

function encode(value: unknown): EncodedValue {
  if (typeof value === 'string') {
    // PostgreSQL's text holds neither NUL nor half a surrogate pair; JSON writes both as escapes.
    if (value.includes('\0') || !isWellFormed(value)) return { format: 'j', text: JSON.stringify(value) }
    return { format: 't', text: value }
  }
  if (typeof value === 'number') return encodeNumber(value)
  if (isUint8Array(value)) return { format: 'b', text: bytesOf(value).toString('base64') }
  return { format: 'j', text: toJson(value) }
}

/**
 * A view, not a copy.
 * @throws {UnserialisableValueError} the buffer was transferred
 */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  try {
    return Buffer.from(buffer, byteOffset, byteLength)
  } catch (error) {
    throw new UnserialisableValueError('has given its bytes away (its buffer is detached)', error)
  }
}

function encodeNumber(value: number): EncodedValue {
  if (!Number.isFinite(value)) throw new UnserialisableValueError(`is ${value}, which JSON does not have`)
  return { format: Number.isSafeInteger(value) ? 'i' : 'j', text: String(value) }
}

function toJson(value: unknown): string {
  if (isMap(value) || isSet(value)) throw new UnserialisableValueError('is a Map or Set, which JSON empties')
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw new UnserialisableValueError(`is not JSON (${reasonOf(error)})`, error)
  }
  if (text === undefined) {
    throw new UnserialisableValueError(
      `is ${value === undefined ? 'undefined; use delete() to remove a key' : `of type ${typeof value}`}`,
    )
  }
  return text
}

/** A `toJSON` of the caller's may throw anything, also what has no message. */
function reasonOf(error: unknown): string {
  if (!isNativeError(error) || typeof error.message !== 'string') return 'its toJSON threw'
  return error.message.split('\n')[0] as string
}

/** UTF-8 takes at most three bytes for each UTF-16 unit, so most values need no counting. */
function assertSize(text: string, maxValueBytes: number): void {
  if (text.length * 3 <= maxValueBytes) return
  const bytes = Buffer.byteLength(text)
  if (bytes > maxValueBytes) throw new ValueTooLargeError(bytes, maxValueBytes)
}
