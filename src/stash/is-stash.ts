import { stashBrand } from './options/mistaken'
import type { PgStash } from './pg-stash'

/** Also for a stash of another copy of this package. Apart from the class: who is handed a stash, as the metrics are, need not load what makes one. */
export function isStash(source: unknown): source is PgStash {
  return typeof source === 'object' && source !== null && stashBrand in source
}
