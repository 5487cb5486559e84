import { createHash, hash } from 'node:crypto'

/**
 * The first eight bytes of SHA-256, as the log of the database has them: a signed number of 64 bits. Here it is the double next to that, which a Map finds faster than a
 * text; two keys of one double are a needless miss.
 */
export type Digest = number

const wordSize = 2 ** 32

/** `tenant`, `tenant NUL namespace` or `tenant NUL namespace NUL key`, the key as it is stored. */
export function digestOf(name: string): Digest {
  const bytes = binaryHash(name)
  return word(bytes, 0) * wordSize + (word(bytes, 4) >>> 0)
}

/** As the log answers it, in decimals. */
export function loggedDigest(decimals: string): Digest {
  return Number(decimals)
}

/** A quarter of what an object of Hash takes; Node has it from 20.12 on. */
const binaryHash: (name: string) => string =
  typeof hash === 'function'
    ? (name) => hash('sha256', name, 'binary')
    : (name) => createHash('sha256').update(name).digest('binary')

function word(bytes: string, at: number): number {
  return (
    (bytes.charCodeAt(at) << 24) |
    (bytes.charCodeAt(at + 1) << 16) |
    (bytes.charCodeAt(at + 2) << 8) |
    bytes.charCodeAt(at + 3)
  )
}
