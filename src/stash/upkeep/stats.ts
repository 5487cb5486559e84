import { assertKnown } from '../../entry/known-options'
import { type NamespaceCount, totalOf } from '../../postgres/entries/namespace-count'
import type {
  LastSweep,
  LiveAndExpired,
  LockCount,
  Maintenance,
  NearLogCount,
  SizedCount,
} from '../../postgres/upkeep/maintenance'

/** What a tenant holds, counted now. */
export interface TenantStats {
  /** Entries that a read would find. */
  readonly live: number
  /** Past their expiry, not yet swept. */
  readonly expired: number
  /** Of an earlier generation, not yet swept. */
  readonly cleared: number
  /** Of the live values. */
  readonly bytes: number
  /** Each with its entries. */
  readonly namespaces: readonly NamespaceCount[]
}

/** Live entries whose values are of one size. */
export interface SizeClass {
  /** Bytes of the largest value in it: 100, 1,000, 10,000, … */
  readonly upToBytes: number
  /** How many there are. */
  readonly live: number
  /** What their values take together. */
  readonly bytes: number
}

/** What a stash holds. */
export interface StashStats extends TenantStats {
  /** Whether counts were made from a part of a table, and are about right. */
  readonly isEstimate: boolean
  /** Of the blocks of the entry table, how many were read: 0 to 1. */
  readonly sampledShare: number
  /** Live entries by the size of their values. */
  readonly sizeClasses: readonly SizeClass[]
  /** The table of the entries, on disk. */
  readonly tableBytes: number
  /** The indexes of that table, on disk. */
  readonly indexBytes: number
  /** Whether a crash of the server empties the table of the entries. */
  readonly isUnlogged: boolean
  /** Of all tenants. */
  readonly sessions: LiveAndExpired & {
    /** On disk, with indexes. */
    readonly bytes: number
  }
  /** Counters of callers, of all tenants. */
  readonly rateLimits: LiveAndExpired & {
    /** On disk, with indexes. */
    readonly bytes: number
  }
  /** Of all tenants. */
  readonly locks: LockCount
  /** The log that tells processes what to forget of what they hold near. What this process holds is `near.stats()`. */
  readonly nearLog: NearLogCount
  /** The last whole turn of any process; undefined: there was none. */
  readonly lastSweep: LastSweep | undefined
}

/** Of `stats()`. */
export interface StatsOptions {
  /** Reads all of the tables, however large. Default: false, a sample is enough where they are large. */
  readonly exact?: boolean | undefined
}

const optionNames: ReadonlySet<string> = new Set(['exact'])

/** 32 MiB: read whole in a moment; of larger tables about so much is read. */
const sampledBlocks = 4_096

/** Counts; of large tables a sample. */
export async function stats(maintenance: Maintenance, options: StatsOptions = {}): Promise<StashStats> {
  assertKnown('options', options, optionNames)
  const { exact = false } = options
  const { blocks, sessionBytes, sessionBlocks, counterBytes, counterBlocks, ...size } = await maintenance.size()
  const shareOf = (all: number) => (exact ? 1 : Math.min(1, sampledBlocks / Math.max(1, all)))
  const [share, ofSessions, ofCounters] = [shareOf(blocks), shareOf(sessionBlocks), shareOf(counterBlocks)]
  const [sampled, expiring, locks, nearLog, lastSweep] = await Promise.all([
    maintenance.count(share * 100),
    maintenance.countExpiring(ofSessions * 100, ofCounters * 100),
    maintenance.countLocks(),
    maintenance.nearLog(),
    maintenance.lastSweep(),
  ])
  const counts = sampled.map((count) => scaled(count, share))
  return {
    ...totalOf(counts),
    ...size,
    namespaces: byNamespace(counts),
    isEstimate: Math.min(share, ofSessions, ofCounters) < 1,
    sampledShare: share,
    sizeClasses: bySize(counts),
    sessions: { ...scaledRows(expiring.sessions, ofSessions), bytes: sessionBytes },
    rateLimits: { ...scaledRows(expiring.counters, ofCounters), bytes: counterBytes },
    locks,
    nearLog,
    lastSweep,
  }
}

export function tenantStats(namespaces: readonly NamespaceCount[]): TenantStats {
  return { ...totalOf(namespaces), namespaces }
}

function scaled(count: SizedCount, share: number): SizedCount {
  const whole = (part: number) => Math.round(part / share)
  return {
    ...count,
    live: whole(count.live),
    expired: whole(count.expired),
    cleared: whole(count.cleared),
    bytes: whole(count.bytes),
  }
}

function scaledRows({ live, expired }: LiveAndExpired, share: number): LiveAndExpired {
  return { live: Math.round(live / share), expired: Math.round(expired / share) }
}

function byNamespace(counts: readonly SizedCount[]): NamespaceCount[] {
  return grouped(counts, ({ tenant, namespace }) => `${tenant}\0${namespace}`).map((group) => {
    const { tenant, namespace } = group[0] as SizedCount
    return { tenant, namespace, ...totalOf(group) }
  })
}

function bySize(counts: readonly SizedCount[]): SizeClass[] {
  const classes = grouped(counts, ({ sizeClass }) => String(sizeClass)).map((group) => {
    const { live, bytes } = totalOf(group)
    return { upToBytes: 10 ** (group[0] as SizedCount).sizeClass, live, bytes }
  })
  return classes.filter(({ live }) => live > 0).sort((a, b) => a.upToBytes - b.upToBytes)
}

function grouped<T>(items: readonly T[], nameOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = nameOf(item)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [item])
    else group.push(item)
  }
  return [...groups.values()]
}
