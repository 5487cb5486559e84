import { InvalidArgumentError } from '../errors'

/** Milliseconds from now; null (or Infinity) for no expiry; undefined for the namespace's default. */
export type Ttl = number | null | undefined

/** 100,000 years: now + ttl stays a safe integer. */
const maxTtlMs = 3_155_760_000_000_000

/**
 * The ttl to send: whole milliseconds, or null for no expiry.
 * @throws {InvalidArgumentError} NaN, zero, negative, or no number
 */
export function resolveTtl(ttl: Ttl, defaultTtl: number | null = null, field = 'ttl'): number | null {
  if (ttl === undefined) return defaultTtl
  if (ttl === null || ttl === Number.POSITIVE_INFINITY) return null
  if (typeof ttl !== 'number' || Number.isNaN(ttl)) {
    throw new InvalidArgumentError(
      field,
      'must be a number of milliseconds',
      'Pass milliseconds, or null for no expiry.',
    )
  }
  if (ttl <= 0) {
    throw new InvalidArgumentError(field, 'must be more than 0', 'Pass milliseconds from now, or null for no expiry.')
  }
  return Math.min(Math.ceil(ttl), maxTtlMs)
}
