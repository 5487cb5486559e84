import { InvalidArgumentError } from '../../errors'
import type { KeyvContract } from './attachments'

/** Used without a Keyv, a limit from here on (September 2001 in epoch milliseconds, 31 years as a ttl) is a moment. */
const earliestMoment = 1e12

/** The ttl of a write, null for no expiry; or `elapsed`: the expiry has passed, and the key is to be deleted. */
export type KeyvTtl = number | null | 'elapsed'

/**
 * What the third argument of `set` means.
 * @param contract Keyv 5: `limit` is milliseconds from now, undefined or 0 for ever. Keyv 6: a moment in epoch milliseconds.
 * undefined: its size tells.
 * @throws {InvalidArgumentError} no number, or NaN
 */
export function keyvTtl(contract: KeyvContract | undefined, limit: number | null | undefined): KeyvTtl {
  if (limit === undefined || limit === null || limit === 0 || limit === Number.POSITIVE_INFINITY) return null
  if (typeof limit !== 'number' || Number.isNaN(limit)) {
    throw new InvalidArgumentError('ttl', 'must be a number of milliseconds', 'Pass a number, or nothing for ever.')
  }
  const isMoment = contract === undefined ? limit >= earliestMoment : contract === 'keyv6'
  const left = isMoment ? limit - Date.now() : limit
  return left > 0 ? left : 'elapsed'
}

/** Of an entry of `setMany`: the name of the field says whether it is a moment or a duration. */
export function entryTtl({ ttl, expires }: { ttl?: number | undefined; expires?: number | null | undefined }): KeyvTtl {
  return expires === undefined || expires === null ? keyvTtl('keyv5', ttl) : keyvTtl('keyv6', expires)
}
