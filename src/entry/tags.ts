import { InvalidArgumentError } from '../errors'
import { assertList } from './list'
import { assertStorable } from './tenant'

/** Which entries a tag is for: those of the namespace, or of the whole tenant. */
export type TagScope = 'namespace' | 'tenant'

/** What an entry is tagged with. */
export interface Tags {
  readonly scope: TagScope
  /** Each once; one at least. */
  readonly names: readonly string[]
}

/** Of an entry: each is looked up by every read of it. */
const maxTags = 128

/** In UTF-16 units. With 256 bytes of tenant and 512 of namespace it fits a B-tree index row. */
const maxTagLength = 256

/** Of one deleteByTag: each is a row that is written. */
const maxDeleted = 1_000

/**
 * @returns undefined: untagged
 * @throws {InvalidArgumentError} no list of tags, too many of them, or one that is none; a scope that there is not
 */
export function tagsOf(tags: unknown, scope: unknown = 'namespace'): Tags | undefined {
  if (scope !== 'namespace' && scope !== 'tenant') {
    throw new InvalidArgumentError('tagScope', 'is neither "namespace" nor "tenant"', 'Leave it out for the namespace.')
  }
  if (tags === undefined) return undefined
  const names = distinct(assertList('tags', tags as readonly unknown[]), maxTags)
  return names.length === 0 ? undefined : { scope, names }
}

/**
 * The tags to delete by.
 * @throws {InvalidArgumentError} neither a tag nor a list of them, or too many
 */
export function tagNames(tags: unknown): string[] {
  return distinct(typeof tags === 'string' ? [tags] : assertList('tags', tags as readonly unknown[]), maxDeleted)
}

function distinct(tags: readonly unknown[], most: number): string[] {
  const names = [...new Set(tags.map((tag) => tagName(tag)))]
  if (names.length > most) {
    throw new InvalidArgumentError(
      'tags',
      `are ${names.length}, the limit is ${most}`,
      'Name what they have in common.',
    )
  }
  return names
}

function tagName(tag: unknown): string {
  if (typeof tag !== 'string' || tag === '') {
    throw new InvalidArgumentError('tags', 'must be non-empty strings', 'Convert them with String(tag).')
  }
  if (tag.length > maxTagLength) {
    throw new InvalidArgumentError(
      'tags',
      `hold one of ${tag.length} characters, the limit is ${maxTagLength}`,
      'Shorten or hash it.',
    )
  }
  assertStorable('tags', tag, 4 * maxTagLength)
  return tag
}
