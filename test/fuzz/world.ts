import type { Cache } from '../../src/stash/entries/cache'
import type { PgStash } from '../../src/stash/pg-stash'
import type { Body } from '../support/bodies'

/** What the calls are made on. */
export interface World {
  readonly body: Body
  readonly stash: PgStash
  /** For what concerns single keys: canaries live here too. */
  readonly cache: Cache
  /** Nobody else's: for what empties. */
  readonly cleared: Cache
  /** A name that no other case has. */
  fresh(): string
}

export function worldOf(body: Body, stash: PgStash): World {
  let names = 0
  return {
    body,
    stash,
    cache: stash.namespace('fuzz'),
    cleared: stash.namespace('cleared'),
    fresh: () => `fresh-${names++}`,
  }
}
