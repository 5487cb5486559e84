import type { CallOptions } from '../../coalescing/call'
import { encodeValue } from '../../entry/codec'
import type { Ttl } from '../../entry/expiry'
import { storedKey } from '../../entry/key'
import { assertKnown } from '../../entry/known-options'
import { type TagScope, type Tags, tagsOf } from '../../entry/tags'
import { InvalidArgumentError } from '../../errors'
import type { Write } from '../../postgres/entries/table'

/** How long what is written lives: milliseconds from now; null for ever; left out, the namespace's default. */
export interface WriteOptions extends CallOptions {
  /** Milliseconds from now; null for ever. Default: that of the namespace. */
  readonly ttl?: Ttl
}

/** What an entry is tagged with: `deleteByTag` deletes by it. */
export interface TagOptions {
  /**
   * Up to 128 names of up to 256 characters. Each costs every read of the entry a look-up (see the guide, Tags). Default: none, and a write without tags takes those of the entry away.
   */
  readonly tags?: readonly string[] | undefined
  /** Which deletion they are for: `'namespace'`, that of the namespace; `'tenant'`, that of the tenant, for all its namespaces. Default: `'namespace'`. */
  readonly tagScope?: TagScope | undefined
}

/** Of `add` and `compareAndSet`. */
export interface TaggedWriteOptions extends WriteOptions, TagOptions {}

/** Of `set`. */
export interface SetOptions extends TaggedWriteOptions {
  /** Only if the entry still has this version, as `getEntry` or a write answered it. Default: whatever version it has. */
  readonly ifVersion?: number | undefined
  /**
   * For how long after its ttl `getOrSet` may still serve it, while the next one is loaded, in milliseconds; null for ever. It counts for nothing with `ifVersion`. Default: that of the namespace, which is 0.
   */
  readonly grace?: number | null | undefined
}

/** One entry of `setMany`. */
export interface NewEntry extends TagOptions {
  /** Any well-formed string without NUL. */
  readonly key: string
  /** JSON data, a string, an integer or bytes. */
  readonly value: unknown
  /** How long it lives, in milliseconds; null for ever. Default: that of the namespace. */
  readonly ttl?: Ttl
  /** For how long after its ttl `getOrSet` may still serve it, in milliseconds; null for ever. Default: that of the namespace. */
  readonly grace?: number | null | undefined
}

const writeNames: ReadonlySet<string> = new Set(['ttl', 'signal'])
export const taggedNames: ReadonlySet<string> = new Set([...writeNames, 'tags', 'tagScope'])
export const setNames: ReadonlySet<string> = new Set([...taggedNames, 'ifVersion', 'grace'])
const entryNames: ReadonlySet<string> = new Set(['key', 'value', 'ttl', 'tags', 'tagScope', 'grace'])

/**
 * A number in the place of the options is another library's habit, and would make an entry that never expires; so would a misspelt name.
 * @throws {InvalidArgumentError} either of them
 */
export function ttlOf(options: WriteOptions | undefined, names = writeNames): Ttl {
  if (options === undefined || options === null) return undefined
  if (typeof options === 'object') {
    assertKnown('options', options, names)
    return options.ttl
  }
  throw new InvalidArgumentError('options', 'must be an object', 'Pass { ttl: milliseconds }.')
}

/** @throws {InvalidArgumentError} no object, or one that names what `setMany` does not know */
export function assertNewEntry(entry: NewEntry): NewEntry {
  if (typeof entry !== 'object' || entry === null) {
    throw new InvalidArgumentError('entries', 'must hold objects', 'Pass [{ key, value, ttl }].')
  }
  if ((entry as SetOptions).ifVersion !== undefined) {
    throw new InvalidArgumentError('ifVersion', 'is not for setMany', 'Use set or compareAndSet; they travel together.')
  }
  assertKnown('entries', entry, entryNames)
  return entry
}

/** As the table takes it. @throws {InvalidArgumentError} a key, a value or tags that will not do */
export function writeOf(
  key: string,
  value: unknown,
  ttl: number | null,
  options: TagOptions | undefined,
  maxValueBytes: number,
): Write {
  const stored = storedKey(key)
  const tags: Tags | undefined =
    options?.tags === undefined && options?.tagScope === undefined ? undefined : tagsOf(options.tags, options.tagScope)
  return { key: stored.key, longKey: stored.longKey, value: encodeValue(value, maxValueBytes), ttl, tags }
}
