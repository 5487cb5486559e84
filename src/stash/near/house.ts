import type { Address } from '../../coalescing/address'
import { wakingNow } from '../../own-clock'
import type { EntryTable } from '../../postgres/entries/table'
import type { Bell } from '../../postgres/near/bell'
import { digestOf } from '../../postgres/near/digest'
import type { InvalidationLog } from '../../postgres/near/log'
import type { OwnWrites } from '../../postgres/near/own-writes'
import type { ResolvedNearOptions, ResolvedNearSettings } from '../options/near'
import type { NearStats } from '../upkeep/near-stats'
import { Coherence } from './coherence'
import { Feed } from './feed'
import { type NearHouse, NearTable } from './table'

export interface NearParts {
  readonly log: InvalidationLog
  /** undefined: there is none. */
  readonly bell: Bell | undefined
  readonly own: OwnWrites
  readonly settings: ResolvedNearSettings
  readonly schema: string
}

/** All that a stash holds near: one memory, one feed. */
export class Near implements NearHouse {
  readonly coherence: Coherence
  readonly #feed: Feed
  readonly #parts: NearParts
  /** By address. */
  readonly #marking = new Set<string>()
  #isClosed = false

  constructor(parts: NearParts) {
    const { own, settings, log, bell, schema } = parts
    this.#parts = parts
    const acknowledgedAt = (nonce: string) => own.acknowledgedAt(nonce)
    this.coherence = new Coherence({ ...settings, now: wakingNow, acknowledgedAt })
    own.stamp = () => this.coherence.acknowledge()
    this.#feed = new Feed({ log, bell, coherence: this.coherence, pollMs: settings.pollMs, schema })
  }

  table(entries: EntryTable, address: Address, options: ResolvedNearOptions): NearTable {
    return new NearTable(this, entries, address, options)
  }

  get isProven(): boolean {
    return this.#feed.hasWorked
  }

  beforeRead(): Promise<void> | undefined {
    if (!this.#feed.hasWorked) return this.#feed.prove()
    this.#feed.wake()
    return undefined
  }

  /** The bell begins with the first look at the log, and who writes rings it. */
  beforeWrite(): void {
    if (!this.#feed.hasWorked) this.#feed.wake()
  }

  mark(address: Address): void {
    if (this.#marking.has(address.id) || this.#isClosed) return
    this.#marking.add(address.id)
    const isMarked = this.#parts.log.mark(address.tenant, address.namespace)
    // What goes wrong is tried again by the next read.
    isMarked.catch(() => {}).finally(() => this.#marking.delete(address.id))
  }

  /** Every namespace of the tenant is emptied by `send`. */
  async sweepTenant<T>(tenant: string, send: () => Promise<T>): Promise<T> {
    const epoch = this.coherence.memory.tenantOf(digestOf(tenant))
    if (epoch === undefined) return send()
    this.coherence.beginSweep(epoch)
    try {
      return await send()
    } finally {
      this.coherence.endSweep(epoch)
    }
  }

  /** The bell. */
  ring(): void {
    this.#feed.ring()
  }

  hears(isHearing: boolean, reason?: unknown): void {
    this.#feed.tell(isHearing ? 'heard' : 'silent', undefined, reason)
  }

  sync(): Promise<void> {
    return this.#feed.sync()
  }

  clear(): void {
    this.coherence.drop()
  }

  stats(): NearStats {
    const { counts, memory, bound } = this.coherence
    const checkedMsAgo = wakingNow() - bound.checkedAt
    return {
      ...counts,
      drops: { ...counts.drops },
      entries: memory.size,
      bytes: memory.bytes,
      checkedMsAgo: Number.isFinite(checkedMsAgo) ? checkedMsAgo : undefined,
      warming: this.#marking.size,
      isListening: this.#parts.bell?.isHearing ?? false,
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#parts.own.stamp = undefined
    await this.#feed.close()
    this.coherence.drop()
  }
}
