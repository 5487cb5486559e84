import type { Row } from '../wire/driver'

/** An entry as a near cache keeps it: not decoded yet. */
export interface NearRow {
  readonly format: string
  readonly text: string
  readonly version: number
  /** Milliseconds until it expires, when the statement was run; null for no expiry. */
  readonly leftMs: number | null
  /** The moment, in epoch milliseconds of the database's clock; null for no expiry. */
  readonly expiresAt: number | null
  /** The numbers of its tags, as decimal texts: it is void when one of them is. Empty: untagged. */
  readonly tags: readonly string[]
}

/** What a read for a near cache answers, of a key that is there or not. */
export interface NearAnswer {
  readonly row: NearRow | undefined
  /** Whether every write of the namespace that is not in this answer's snapshot is one that logs. Otherwise the answer may not be kept. */
  readonly isTold: boolean
}

const none: readonly string[] = Object.freeze([])

/** Of an array of numbers, as PostgreSQL writes it. */
export function numbersOf(array: string | null | undefined): readonly string[] {
  return array === null || array === undefined ? none : array.slice(1, -1).split(',')
}

export function nearAnswerOf(row: Row): NearAnswer {
  const [, isTold, format, text, version, leftMs, expiresAt, given] = row as [
    number,
    boolean,
    string | null,
    string,
    number,
    number | null,
    number | null,
    string | null | undefined,
  ]
  const tags = numbersOf(given)
  return { isTold, row: format === null ? undefined : { format, text, version, leftMs, expiresAt, tags } }
}
