import { type EncodedValue, encodeValue } from '../../entry/codec'
import { fidelityOf } from './json'

/**
 * What stored bytes become. `text`: a string, or a Buffer where they are no UTF-8. `json`: what the JSON says, and as `text` where it is
 * none, or none that JavaScript could say again. `bytes`: always a Buffer.
 */
export type ImportValues = 'text' | 'json' | 'bytes'

/**
 * What is to be said of a value: `notJson`, it stayed text although JSON was asked for; `inexact`, it is stored as it was written, and
 * JavaScript reads something near it.
 */
export type ValueNotice = 'notJson' | 'inexact'

export interface ImportedValue {
  readonly encoded: EncodedValue
  readonly notice?: ValueNotice | undefined
}

/** A byte order mark is part of the value. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text; undefined where the bytes are no UTF-8. */
export function textOf(stored: string | Uint8Array): string | undefined {
  if (typeof stored === 'string') return stored
  try {
    return utf8.decode(stored)
  } catch {
    return undefined
  }
}

/** @throws {ValueTooLargeError} */
export function importedValue(stored: string | Uint8Array, values: ImportValues, maxValueBytes: number): ImportedValue {
  if (values === 'bytes') return { encoded: encodeValue(Buffer.from(stored as Uint8Array), maxValueBytes) }
  const text = textOf(stored)
  if (text !== undefined && values === 'json') return jsonOf(text, maxValueBytes)
  return { encoded: encodeValue(text ?? stored, maxValueBytes), notice: values === 'json' ? 'notJson' : undefined }
}

function jsonOf(text: string, maxValueBytes: number): ImportedValue {
  const parsed = parsedJson(text)
  const fidelity = parsed === undefined ? 'none' : fidelityOf(text)
  if (parsed === undefined || fidelity === 'none')
    return { encoded: encodeValue(text, maxValueBytes), notice: 'notJson' }
  if (typeof parsed.value === 'string' || isInteger(parsed.value, text))
    return { encoded: encodeValue(parsed.value, maxValueBytes) }
  // As it was written: said again by JavaScript, numbers beyond a double and all but the last of equal names would be gone for good.
  const asText = encodeValue(text, maxValueBytes)
  return { encoded: { ...asText, format: 'j' }, notice: fidelity === 'inexact' ? 'inexact' : undefined }
}

/** Nothing is lost by storing it as one, which `increment` can add to. */
function isInteger(value: unknown, text: string): boolean {
  return Number.isSafeInteger(value) && String(value) === text.trim()
}

/** undefined: no JSON. */
export function parsedJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}
