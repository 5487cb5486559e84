import type { Maintenance, TenantCount } from '../postgres/maintenance'
import { type QuotaSource, quotaOf } from './quota'

/** What a sweep removed. */
export interface Swept {
  readonly expired: number
  readonly cleared: number
  /** Over a tenant's quota. */
  readonly evicted: number
}

/** 2 MiB of table a statement: some thousand rows, a few milliseconds, so that nobody waits long for a row lock. */
const blocksPerStep = 256

/** Each step ranks the tenant's entries anew, so it takes more of them than a step of blocks does. */
const evictedPerStep = 10_000

/** Walks the table once and removes what is expired or cleared, in small steps; then what is over quota. */
export async function sweep(maintenance: Maintenance, quota: QuotaSource | undefined): Promise<Swept> {
  const blocks = await maintenance.blocks()
  let expired = 0
  let cleared = 0
  for (let from = 0; from < blocks; from += blocksPerStep) {
    const step = await maintenance.sweep(from, from + blocksPerStep)
    expired += step.expired
    cleared += step.cleared
  }
  return { expired, cleared, evicted: quota === undefined ? 0 : await evict(maintenance, quota) }
}

async function evict(maintenance: Maintenance, quota: QuotaSource): Promise<number> {
  let evicted = 0
  for (const count of await maintenance.countTenants()) evicted += await evictFrom(maintenance, quota, count)
  return evicted
}

async function evictFrom(maintenance: Maintenance, quota: QuotaSource, held: TenantCount): Promise<number> {
  const { maxEntries, maxBytes } = quotaOf(quota, held.tenant)
  const isWithin = held.entries <= (maxEntries ?? Infinity) && held.bytes <= (maxBytes ?? Infinity)
  if (isWithin) return 0
  let evicted = 0
  let found = evictedPerStep
  while (found === evictedPerStep) {
    const step = await maintenance.evict(held.tenant, maxEntries, maxBytes, evictedPerStep)
    evicted += step.evicted
    // What others hold is left to the next sweep; a step that could take nothing would take nothing again.
    found = step.evicted === 0 ? 0 : step.found
  }
  return evicted
}
