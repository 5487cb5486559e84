import { encodeValue } from '../entry/codec'
import { storedKey } from '../entry/key'
import { InvalidArgumentError, UnserialisableValueError, ValueTooLargeError } from '../errors'
import type { Cache, NewEntry } from './cache'

/** What became of an entry: `written`, or why it was skipped. */
export type Outcome = 'written' | 'present' | 'key-unfit' | 'value-unfit' | 'value-too-large'

/** Where an import writes. One entry that will not do fails no other. */
export type WriteEntry = (entry: NewEntry) => Promise<Outcome>

/** Calls made together travel together, as in `setMany`; but each is told what became of it. */
export function overwriting(cache: Cache): WriteEntry {
  return ({ key, value, ttl }) => unlessUnfit(async () => void (await cache.set(key, value, { ttl })))
}

/** What is there stays. */
export function ifAbsent(cache: Cache): WriteEntry {
  return ({ key, value, ttl }) =>
    unlessUnfit(async () => ((await cache.add(key, value, { ttl })) ? 'written' : 'present'))
}

/** Writes nothing, asks no database, and refuses what the others would. */
export function rehearsing(maxValueBytes: number): WriteEntry {
  return ({ key, value }) =>
    unlessUnfit(async () => {
      storedKey(key)
      encodeValue(value, maxValueBytes)
    })
}

// biome-ignore lint/suspicious/noConfusingVoidType: nothing to say means written
async function unlessUnfit(write: () => Promise<Outcome | void>): Promise<Outcome> {
  try {
    return (await write()) ?? 'written'
  } catch (error) {
    if (error instanceof ValueTooLargeError) return 'value-too-large'
    if (error instanceof UnserialisableValueError) return 'value-unfit'
    if (error instanceof InvalidArgumentError && error.field === 'key') return 'key-unfit'
    throw error
  }
}
