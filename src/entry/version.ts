import { InvalidArgumentError } from '../errors'

/**
 * The version a compare-and-set expects: as `getEntry` or a write gave it.
 * @throws {InvalidArgumentError} anything but a positive integer
 */
export function expectedVersion(version: unknown): number {
  if (typeof version === 'number' && Number.isSafeInteger(version) && version > 0) return version
  throw new InvalidArgumentError(
    'version',
    'must be the version of an entry',
    'Take it from getEntry() or from the answer of a write; use add() for a key that must not exist yet.',
  )
}
