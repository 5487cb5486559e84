import { decodeValue } from '../../entry/codec'

/**
 * How a value is kept. `shared`: all readers get it as it is, for nobody can change it. `own`: nobody else has it, and each reader gets a copy. `text`: each reader gets it decoded anew.
 * `unread`: as text until the first one reads it, for many are written, or asked for, and never read here: to decode and weigh 300 bytes takes 2 us.
 */
export type Form = 'shared' | 'own' | 'text' | 'unread'

/** A value as memory keeps it. */
export interface KeptValue {
  readonly form: Form
  readonly format: string
  readonly value: unknown
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

/** What is nested deeper is decoded anew for each: a copy of it goes down as deep. */
const deepest = 100

/** That there is nothing. */
export const absent: KeptValue = { form: 'shared', format: 't', value: undefined }

/** @returns what to keep, and the bytes it takes, about */
export function keep(
  format: string,
  text: string,
  isFrozen: boolean,
): { readonly kept: KeptValue; readonly bytes: number } {
  const asText = { kept: { form: 'text', format, value: text }, bytes: bytesOfText(text) } as const
  // Bytes cannot be frozen, and base64 is as fast to read as a copy is to make.
  if (format === 'b') return asText
  const value = decodeValue(format, text)
  const bytes = weigh(value, isFrozen)
  if (bytes === undefined) return asText
  return { kept: { form: isFrozen || !isObject(value) ? 'shared' : 'own', format, value }, bytes }
}

/** The same, until somebody reads it. */
export function keepUnread(format: string, text: string): { readonly kept: KeptValue; readonly bytes: number } {
  return { kept: { form: 'unread', format, value: text }, bytes: bytesOfText(text) }
}

/** What a reader gets of what has been read. */
export function readKept({ form, format, value }: KeptValue, isFrozen: boolean): unknown {
  if (form === 'text') return decodeFor(format, value as string, isFrozen)
  if (form === 'shared') return isFrozen || !isObject(value) ? value : copyOf(value)
  // By a handle that takes copies it was kept; this one wants it frozen.
  const copy = copyOf(value as object)
  return isFrozen ? frozen(copy) : copy
}

/** Of an answer of the database, for the reader who asked. */
export function decodeFor(format: string, text: string, isFrozen: boolean): unknown {
  const value = decodeValue(format, text)
  return isFrozen && format !== 'b' ? frozen(value) : value
}

/** What a text takes: one byte for each unit where all are ASCII, else two. */
function bytesOfText(text: string): number {
  return ofString + (Buffer.byteLength(text) === text.length ? text.length : 2 * text.length)
}

function frozen(value: unknown): unknown {
  weigh(value, true)
  return value
}

/**
 * What JSON makes: plain objects and arrays, without circles. A tenth of what JSON.parse takes for the same, and a twentieth of structuredClone: objects of one shape are copied as a
 * block.
 */
function copyOf(value: object): object {
  if (Array.isArray(value)) {
    const copy = value.slice()
    for (let at = 0; at < copy.length; at += 1) if (isObject(copy[at])) copy[at] = copyOf(copy[at])
    return copy
  }
  const copy = { ...value } as Record<string, unknown>
  for (const name of Object.keys(copy)) {
    const property = copy[name]
    if (isObject(property)) copy[name] = copyOf(property)
  }
  return copy
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Bytes that a value takes, freezing it on the way where that is asked, level by level; undefined: it is nested too deep to be copied. */
function weigh(root: unknown, freezes: boolean): number | undefined {
  if (!isObject(root)) return typeof root === 'string' ? bytesOfText(root) : ofNumber
  let bytes = 0
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > deepest && !freezes) return undefined
    const below: object[] = []
    for (const one of level) {
      bytes += Array.isArray(one) ? weighElements(one, below) : weighProperties(one as Record<string, unknown>, below)
      if (freezes) Object.freeze(one)
    }
    level = below
  }
  return bytes
}

function weighElements(elements: readonly unknown[], below: object[]): number {
  let bytes = ofArray + ofElement * elements.length
  for (const element of elements) bytes += weighMember(element, below)
  return bytes
}

function weighProperties(value: Record<string, unknown>, below: object[]): number {
  const names = Object.keys(value)
  const isTable = names.length > mostSharedNames
  let bytes = ofObject
  for (const name of names) {
    bytes += isTable ? ofTableRow + bytesOfText(name) : ofProperty
    bytes += weighMember(value[name], below)
  }
  return bytes
}

function weighMember(member: unknown, below: object[]): number {
  if (typeof member === 'string') return bytesOfText(member)
  if (typeof member === 'number') return Number.isInteger(member) ? 0 : ofNumber
  if (isObject(member)) below.push(member)
  return 0
}
