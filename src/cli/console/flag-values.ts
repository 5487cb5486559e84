import { InvalidArgumentError as InvalidFlagError } from 'commander'
import { assertAddress } from '../../stash/options/server-address'

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidFlagError('It must be a whole number of at least 1.')
}

/** Of a migration: none at all is one of them. */
export function migrationNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidFlagError('It must be the number of a migration; an empty database is at 0.')
}

/** A timer of Node counts in 32 bits of milliseconds; a day is enough. */
export function seconds(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value >= 0.1 && value <= 86_400) return value
  throw new InvalidFlagError('It must be a number of seconds, from 0.1 to 86400.')
}

/** What `pg` would stumble over is told before it is given to it; without the address, for it may hold a password. */
export function address(text: string): string {
  return assertAddress('--url', text)
}
