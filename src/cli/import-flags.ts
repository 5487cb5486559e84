import type { ImportOptions } from '../stash/import'
import type { StashFlags } from './stash-command'

/** What the command line of `pgstash import` says. */
export interface ImportFlags extends StashFlags, Omit<ImportOptions, 'version' | 'onProgress' | 'signal'> {
  readonly from: string
  readonly table?: string
  readonly match?: string
  readonly namespaceVersion?: number
  readonly batch: number
  readonly yes?: boolean
}
