import { InvalidArgumentError } from '../../errors'

/** 100,000 years, as the longest ttl: the sum of both with the time stays a safe integer. */
const maxGraceMs = 3_155_760_000_000_000

/**
 * For how long after its expiry a value may be served, in milliseconds.
 * @param otherwise where none is given
 * @throws {InvalidArgumentError} negative, or no number
 */
export function graceOf(grace: number | null | undefined, otherwise = 0): number {
  if (grace === undefined) return otherwise
  if (grace === null || grace === Number.POSITIVE_INFINITY) return maxGraceMs
  if (typeof grace === 'number' && grace >= 0) return Math.min(Math.ceil(grace), maxGraceMs)
  throw new InvalidArgumentError(
    'grace',
    'must be a number of milliseconds, 0 or more',
    'Pass milliseconds, or null for ever.',
  )
}
