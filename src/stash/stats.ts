import type { Maintenance, NamespaceCount, TableSize } from '../postgres/maintenance'

/** What a stash holds, counted now. */
export interface StashStats extends TableSize {
  readonly live: number
  /** Past their expiry, not yet swept. */
  readonly expired: number
  /** Of an earlier generation, not yet swept. */
  readonly cleared: number
  /** Of the live values. */
  readonly bytes: number
  readonly namespaces: readonly NamespaceCount[]
}

/** Reads the whole table: a question for people, not for every request. */
export async function stats(maintenance: Maintenance): Promise<StashStats> {
  const [namespaces, size] = await Promise.all([maintenance.count(), maintenance.size()])
  const total = (field: 'live' | 'expired' | 'cleared' | 'bytes') =>
    namespaces.reduce((sum, count) => sum + count[field], 0)
  return {
    live: total('live'),
    expired: total('expired'),
    cleared: total('cleared'),
    bytes: total('bytes'),
    ...size,
    namespaces,
  }
}
