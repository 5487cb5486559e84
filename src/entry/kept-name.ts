import { createHash } from 'node:crypto'
import { isWellFormed } from './tenant'

/** Longer ones are kept by digest: ten thousand of them take some megabytes, whoever made them up. */
const longestKept = 256

const mark = '\0'

/**
 * The name under which something is kept of a caller: his text, or its digest where it is long. It begins with a tenant, which is not empty, so that no text looks like
 * a digest.
 */
export function keptName(text: string): string {
  if (text.length <= longestKept) return text
  // By UTF-16: in UTF-8 all halves of surrogate pairs are one.
  return `${mark}${createHash('sha256').update(text, 'utf16le').digest('base64url')}`
}

/** Whether the text itself is not kept. */
export function isDigest(name: string): boolean {
  return name.startsWith(mark)
}

/**
 * The same text, in memory of its own. A piece that was cut out of a text (an address out of a header, a name out of a path) holds on to all of that, and so does what
 * was joined of pieces. What is no text is left to whoever checks it.
 */
export function ownCopy(text: string): string {
  if (typeof text !== 'string') return text
  // UTF-8 has no halves of surrogate pairs; UTF-16 would make every text twice as large.
  const encoding = isWellFormed(text) ? 'utf8' : 'utf16le'
  return Buffer.from(text, encoding).toString(encoding)
}
