import { decodeValue } from '../../entry/codec'

/** A value with what it takes in memory. */
export interface WeighedValue {
  readonly value: unknown
  /** Bytes, about. */
  readonly bytes: number
}

/** Of V8 without compressed pointers, as Node is built. Measured: docs/guide/near-cache.md, "Memory". */
const ofObject = 56
const ofProperty = 16
const ofArray = 48
const ofElement = 8
const ofNumber = 16
const ofString = 24

/** From so many properties on an object is a table of its own, with its names. */
const mostSharedNames = 32
const ofTableRow = 48

/** What a text takes: one byte for each unit where all are ASCII, else two. */
export function bytesOfText(text: string): number {
  return ofString + (Buffer.byteLength(text) === text.length ? text.length : 2 * text.length)
}

/**
 * Whether what is decoded may be handed to every reader: texts and numbers are never changed, what JSON makes can be frozen. A Buffer cannot be, and is made anew for each.
 */
export function isShareable(format: string, isFrozen: boolean): boolean {
  return isFrozen ? format !== 'b' : format === 't' || format === 'i'
}

/** Decodes once, for all readers: nobody can change it, however deep. */
export function frozenValue(format: string, text: string): WeighedValue {
  const value = decodeValue(format, text)
  return { value, bytes: freeze(value) }
}

/** Freezes, and answers the bytes it takes. What JSON makes has no circles. */
function freeze(value: unknown): number {
  if (typeof value === 'string') return bytesOfText(value)
  if (typeof value === 'number') return ofNumber
  if (typeof value !== 'object' || value === null) return 0
  const bytes = Array.isArray(value) ? freezeElements(value) : freezeProperties(value as Record<string, unknown>)
  Object.freeze(value)
  return bytes
}

function freezeElements(elements: readonly unknown[]): number {
  let bytes = ofArray + ofElement * elements.length
  for (const element of elements) bytes += freeze(element)
  return bytes
}

function freezeProperties(value: Record<string, unknown>): number {
  const names = Object.keys(value)
  const isTable = names.length > mostSharedNames
  let bytes = ofObject
  for (const name of names) {
    bytes += isTable ? ofTableRow + bytesOfText(name) : ofProperty
    bytes += freeze(value[name])
  }
  return bytes
}
