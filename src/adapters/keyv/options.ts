import { InvalidArgumentError } from '../../errors'
import { storeOptions } from '../../stash/held-stash'
import { isStash } from '../../stash/is-stash'
import type { NearStoreOptions, PgStashOptions } from '../../stash/options/told'
import type { PgStash, TenantSource } from '../../stash/pg-stash'
import type { KeyvContract } from './attachments'

/** Where a store keeps its entries. */
export interface KeyvPgStoreOptions {
  /** Whose data; a function is asked at every call. Default: the tenant `default`. */
  readonly tenant?: TenantSource | undefined
  /** Where entries go when Keyv names no namespace, or its default `keyv`: then Keyv 5 and Keyv 6 read the same rows. Default: `keyv`. */
  readonly namespace?: string | undefined
  /** Counts deploys: two versions of a namespace do not see each other's entries. Default: none. */
  readonly version?: number | undefined
  /**
   * Whether entries are held in the memory of this process, and answered from there without a round trip; within the stash's `near.maxStalenessMs` of what the database has. A store that
   * opens its own stash takes what holds for that (`maxBytes`, …) among these. Default: false.
   */
  readonly near?: boolean | NearStoreOptions | undefined
  /** The major of Keyv, where the store should not find out by itself. Default: it notices which of them calls. */
  readonly contract?: KeyvContract | undefined
}

/** A stash, a connection string, or connection options with the store's own options among them. */
export type KeyvPgStoreSource =
  | PgStash
  | string
  | (Omit<PgStashOptions, 'near'> &
      KeyvPgStoreOptions & {
        /** A stash to share. */
        readonly stash?: PgStash | undefined
      })

/** Options of {@link createKeyv}: those of the store, of its connection, and `keyv` for Keyv's own. */
export type CreateKeyvOptions<KeyvOptions> = Omit<PgStashOptions, 'near'> &
  KeyvPgStoreOptions & {
    /** A stash to share. Default: the connection options among these open one. */
    readonly stash?: PgStash | undefined
    /** Those of Keyv itself, but for the store. Default: none. */
    readonly keyv?: KeyvOptions | undefined
  }

export const storeOptionNames: ReadonlySet<string> = new Set([
  ...['tenant', 'namespace', 'version', 'contract', 'near'],
])

/** undefined: a stash, a connection string, or nothing. */
export function inlineOptions(
  source: KeyvPgStoreSource | undefined,
): Exclude<KeyvPgStoreSource, string | PgStash> | undefined {
  if (source === undefined || typeof source === 'string' || isStash(source)) return undefined
  return storeOptions(source, storeOptionNames)
}

/**
 * null counts as left out. Whether it is a name that will do, the stash says.
 * @throws {InvalidArgumentError} no string
 */
export function assertNamespace(namespace: unknown): string | undefined {
  if (namespace === undefined || namespace === null) return undefined
  if (typeof namespace === 'string') return namespace
  throw new InvalidArgumentError('namespace', 'must be a string', 'Leave it out for the namespace of the store.')
}

/** @throws {InvalidArgumentError} no major that there is */
export function contractOf(contract: unknown): KeyvContract | undefined {
  if (contract === undefined || contract === 'keyv5' || contract === 'keyv6') return contract
  throw new InvalidArgumentError(
    'contract',
    'must be keyv5 or keyv6',
    'Leave it out: the store notices which Keyv calls.',
  )
}
