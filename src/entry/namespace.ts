import { InvalidArgumentError } from '../errors'
import { assertStorable } from './tenant'

/** With 256 bytes of tenant and 1,024 of key this stays under the 2,704 bytes of a B-tree index row. */
const maxNamespaceBytes = 512

/** How a versioned namespace is stored: `views` with version 2 is `views@v2`. */
const versionedName = /@v\d+$/

/**
 * The namespace as stored.
 * @param version an integer >= 1; two deploys with different versions do not read each other's entries
 * @throws {InvalidArgumentError} empty, too long, with NUL, no string, or named like a version of another
 */
export function namespaceName(name: unknown, version?: number): string {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(
      'namespace',
      'must be a non-empty string',
      'Name the namespace, for example "views".',
    )
  }
  assertStorable('namespace', name, maxNamespaceBytes)
  if (versionedName.test(name)) {
    throw new InvalidArgumentError('namespace', 'ends like a version (@v1)', 'Pass the number as the version option.')
  }
  return version === undefined ? name : `${name}@v${assertVersion(version)}`
}

function assertVersion(version: number): number {
  if (Number.isSafeInteger(version) && version >= 1) return version
  throw new InvalidArgumentError('version', 'must be an integer of at least 1', 'Count deploys: 1, 2, 3.')
}
