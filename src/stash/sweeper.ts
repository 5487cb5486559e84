import type { ExpiringTable, Maintenance, TenantCount } from '../postgres/maintenance'
import { type QuotaSource, quotaOf } from './quota'

/** What a sweep removed. */
export interface Swept {
  /** Entries, sessions and rate limits. */
  readonly expired: number
  readonly cleared: number
  /** Over a tenant's quota. */
  readonly evicted: number
}

/** 2 MiB of table a statement: some thousand rows, a few milliseconds, so that nobody waits long for a row lock. */
const blocksPerStep = 256

/** As many as a step of blocks removes, about. */
const evictedPerStep = 5_000

/** A table that knows by itself what of it is expired. */
export interface Sweepable {
  sweep(): Promise<number>
}

/** Walks the tables once and removes what is expired or cleared, in small steps; then what is over quota. */
export async function sweep(
  maintenance: Maintenance,
  others: readonly Sweepable[],
  quota: QuotaSource | undefined,
): Promise<Swept> {
  const blocks = await maintenance.blocks()
  let expired = 0
  let cleared = 0
  for (let from = 0; from < blocks; from += blocksPerStep) {
    const step = await maintenance.sweep(from, from + blocksPerStep)
    expired += step.expired
    cleared += step.cleared
  }
  expired += await sweepExpiring(maintenance, 'session')
  expired += await sweepExpiring(maintenance, 'counter')
  for (const other of others) expired += await other.sweep()
  return { expired, cleared, evicted: quota === undefined ? 0 : await evict(maintenance, quota) }
}

async function sweepExpiring(maintenance: Maintenance, table: ExpiringTable): Promise<number> {
  const blocks = await maintenance.blocksOf(table)
  let expired = 0
  for (let from = 0; from < blocks; from += blocksPerStep) {
    expired += await maintenance.sweepExpiring(table, from, from + blocksPerStep)
  }
  return expired
}

/** One tenant's failure keeps no other from its quota; the first is thrown at the end. */
async function evict(maintenance: Maintenance, quota: QuotaSource): Promise<number> {
  let evicted = 0
  const failures: unknown[] = []
  for (const held of await maintenance.countTenants()) {
    try {
      evicted += await evictFrom(maintenance, quota, held)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return evicted
}

async function evictFrom(maintenance: Maintenance, quota: QuotaSource, held: TenantCount): Promise<number> {
  const { maxEntries, maxBytes } = quotaOf(quota, held.tenant)
  const isWithin = held.entries <= (maxEntries ?? Infinity) && held.bytes <= (maxBytes ?? Infinity)
  const cut = isWithin ? undefined : await maintenance.quotaCut(held.tenant, maxEntries, maxBytes)
  return cut === undefined ? 0 : maintenance.evict(held.tenant, cut, evictedPerStep)
}
