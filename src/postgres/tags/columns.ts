import type { Located } from '../../coalescing/located'
import type { Tags } from '../../entry/tags'

/** scope[] and tags[] as statements take them: of each row the namespace of its tags, '' for the whole tenant's, and the tags, an array as text; null where it has none. */
export function tagColumns(requests: readonly Located[], tags: readonly (Tags | undefined)[]): (string | null)[][] {
  return [
    requests.map((request, at) => scopeOf(request, tags[at])),
    tags.map((one) => (one === undefined ? null : arrayOf(one.names))),
  ]
}

/** As PostgreSQL reads an array: arrays of arrays would have to be of one length. */
export function arrayOf(names: readonly string[]): string {
  return `{${names.map((name) => `"${name.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`
}

function scopeOf({ address: { namespace } }: Located, tags: Tags | undefined): string | null {
  if (tags === undefined) return null
  return tags.scope === 'tenant' ? '' : namespace
}
