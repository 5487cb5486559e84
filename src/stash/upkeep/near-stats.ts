/** What a stash holds near, at this moment and since it was made. */
export interface NearStats {
  /** Keys answered from memory. */
  readonly hits: number
  /** Keys that the database was asked for. */
  readonly misses: number
  /** Answers, and own writes, that entered memory. */
  readonly fills: number
  /** Answers that did not: something was written meanwhile. */
  readonly discardedFills: number
  /** Keys, namespaces and tenants that the log told of. */
  readonly invalidations: number
  /** How often all was forgotten. */
  readonly drops: {
    /** After a crash of the server, a failover or a restore. */
    readonly incarnation: number
    /** After the log was not read for a minute. */
    readonly pruned: number
  }
  /** Entries that are held. */
  readonly entries: number
  /** What they weigh, in bytes. */
  readonly bytes: number
  /** Milliseconds since the log was last looked at; undefined: it was not. */
  readonly checkedMsAgo: number | undefined
  /** Namespaces that wait for writers who do not tell the log yet. */
  readonly warming: number
  /** Whether the bell is heard. */
  readonly isListening: boolean
}
