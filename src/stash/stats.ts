import type { Maintenance, TableSize } from '../postgres/maintenance'
import { type NamespaceCount, totalOf } from '../postgres/namespace-count'

/** What a tenant holds, counted now. */
export interface TenantStats {
  readonly live: number
  /** Past their expiry, not yet swept. */
  readonly expired: number
  /** Of an earlier generation, not yet swept. */
  readonly cleared: number
  /** Of the live values. */
  readonly bytes: number
  readonly namespaces: readonly NamespaceCount[]
}

/** What a stash holds, counted now. */
export interface StashStats extends TenantStats, TableSize {}

/** Reads the whole table: a question for people, not for every request. */
export async function stats(maintenance: Maintenance): Promise<StashStats> {
  const [namespaces, size] = await Promise.all([maintenance.count(), maintenance.size()])
  return { ...totalOf(namespaces), ...size, namespaces }
}

export function tenantStats(namespaces: readonly NamespaceCount[]): TenantStats {
  return { ...totalOf(namespaces), namespaces }
}
