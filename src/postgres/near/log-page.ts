/** What a log row concerns: keys, whole namespaces, whole tenants, tags, everything. */
export type LogKind = 'k' | 'n' | 't' | 'g' | 'a'

/** What one statement changed. */
export interface LogRow {
  readonly kind: LogKind
  /** By it a process knows its own; null: a writer without `near`. */
  readonly nonce: string | null
  /** `near_digest()` of each (0015), in decimals; of tags: their numbers, which are void. */
  readonly digests: readonly string[]
}

/** Up to where the log was read: the snapshot of the statement that did, and what the log was then. */
export interface LogPosition {
  readonly xmax: string
  /** Transactions that were running, and whose rows are still to come. */
  readonly xip: readonly string[]
  /** The newest turn that was seen. */
  readonly turn: number
  /** Changes when the log may have lost rows: a crash, a failover, a restore, a restart. */
  readonly incarnation: string
}

/** Why rows may be missing between two positions: they were removed before this process came to read them; or the log is another one. */
export type LostRows = 'pruned' | 'incarnation'

/** What came since a position. */
export interface LogPage {
  readonly rows: readonly LogRow[]
  readonly position: LogPosition
  /** The newest turn by which rows were removed; 0: none. */
  readonly pruned: number
  /** Not undefined: whatever is held is to be forgotten, for rows may be missing. */
  readonly lost: LostRows | undefined
}
