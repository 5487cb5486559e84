import type { ImportOptions } from '../stash/import'
import type { Isolation } from '../stash/options'

/** What the command line of `pgstash import` says. */
export interface ImportFlags extends Omit<ImportOptions, 'version' | 'onProgress'> {
  readonly from: string
  readonly table?: string
  readonly match?: string
  readonly namespaceVersion?: number
  readonly url?: string
  readonly schema?: string
  readonly isolation?: Isolation
  readonly batch: number
  readonly json?: boolean
  readonly yes?: boolean
}
