import type { Row } from '../wire/driver'

/** What one namespace holds. Bytes are those of the live values. */
export interface NamespaceCount {
  readonly tenant: string
  readonly namespace: string
  readonly live: number
  /** Past their expiry, not yet swept. */
  readonly expired: number
  /** Of an earlier generation, not yet swept. */
  readonly cleared: number
  readonly bytes: number
}

/** A row of count.sql, or of count-entries.sql without its size. */
export function countOf(row: Row): NamespaceCount {
  const [tenant, namespace, live, expired, cleared, bytes] = row as [string, string, number, number, number, number]
  return { tenant, namespace, live, expired, cleared, bytes }
}

/** The sum of counts, field by field. */
export function totalOf(counts: readonly NamespaceCount[]): Omit<NamespaceCount, 'tenant' | 'namespace'> {
  const total = (field: 'live' | 'expired' | 'cleared' | 'bytes') =>
    counts.reduce((sum, count) => sum + count[field], 0)
  return { live: total('live'), expired: total('expired'), cleared: total('cleared'), bytes: total('bytes') }
}
