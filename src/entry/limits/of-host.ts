import { InvalidArgumentError } from '../../errors'
import { digestOf } from '../key'
import { spelledText } from './counted-key'
import { maxLimit, maxWindowMs } from './limit'

/** A name of a limiter has room for so much. */
const longestName = 300

/**
 * The window of a host, in whole milliseconds: rounded up, and no longer than 100 years, which nobody sees the end of. 0: none, each hit begins anew.
 * @throws {InvalidArgumentError} what is no number
 */
export function hostWindow(field: string, windowMs: unknown): number {
  if (typeof windowMs === 'number' && !Number.isNaN(windowMs))
    return Math.min(maxWindowMs, Math.max(0, Math.ceil(windowMs)))
  throw new InvalidArgumentError(field, 'must be a number of milliseconds', 'Pass 60_000 for a minute.')
}

/**
 * The limit of a host, which compares it with whole numbers: 2.5 lets in as many as 2, and -1 as 0. undefined: nobody reaches it.
 * @throws {InvalidArgumentError} what is no number: no number of hits exceeds it
 */
export function hostLimit(field: string, limit: unknown): number | undefined {
  if (typeof limit !== 'number' || Number.isNaN(limit)) {
    throw new InvalidArgumentError(field, 'must be a number', 'Correct it, or pass a function that gives one.')
  }
  return limit > maxLimit ? undefined : Math.max(0, Math.floor(limit))
}

/** The name of a limiter within another; any text will do. */
export function nameWithin(parent: string, text: string): string {
  // A name may not end like a version: `@v1`.
  const name = `${parent}/${spelledText(text).replaceAll('@', '\\u0040')}`
  return name.length <= longestName ? name : digestOf(name)
}
