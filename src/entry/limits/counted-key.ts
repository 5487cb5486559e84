import { type StoredKey, storedKey } from '../key'

/** All but printable ASCII, and the mark of the spelling itself: no database stores NUL or half a surrogate pair, and not every encoding has the others. */
const unplain = /[^ -[\]-~]/g

/**
 * Whom a limiter counts, as text. As in the stores on Redis, callers whose keys read alike are one: `42`, `'42'` and `['42']`. Whoever may choose his key in
 * JSON would otherwise have as many counters as there are ways to write it.
 */
export function callerText(key: unknown): string {
  if (typeof key === 'string') return key
  try {
    return String(key)
  } catch {
    // An object that has no text, or throws instead of giving one.
    return Object.prototype.toString.call(key)
  }
}

/**
 * A caller's text in ASCII, which a database of any encoding stores: `é` is spelled `\u00e9`, a backslash `\u005c`. No two texts are spelled alike, and the
 * spelling of a text begins with the spelling of its beginning.
 */
export function spelledText(text: string): string {
  return text.replace(unplain, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The key of a counter. Every text has one: a limiter that refuses a caller does not limit him. */
export function countedKey(text: string): StoredKey {
  return storedKey(spelledText(text))
}
