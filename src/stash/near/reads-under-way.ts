import type { Digest } from '../../postgres/near/digest'
import type { Place } from './memory'

/** What happened to a key while reads of it were under way. */
interface KeyBeingRead {
  readonly digest: Digest
  reads: number
  /** When it was voided last; 0: it was not. */
  voidedAt: number
  /** The highest version that somebody was answered; 0: nobody was. */
  top: number
}

/** A read of one key from its call to its answer. */
export interface ReadUnderWay {
  readonly place: Place
  /** As stored. */
  readonly key: string
  readonly ofKey: KeyBeingRead
  /** Where the sequence of events stood. */
  readonly begin: number
  /** By the clock of this process, at the call: before the statement left. */
  readonly calledAt: number
}

/**
 * What happens to keys that are being read: it is noted for them alone, and forgotten with the last of their reads, so that neither a flood of writes nor a read that hangs for its whole time
 * limit fills the memory.
 */
export class ReadsUnderWay {
  readonly #keys = new Map<Digest, KeyBeingRead>()

  /** How many keys are being read. */
  get size(): number {
    return this.#keys.size
  }

  begin(place: Place, key: string, digest: Digest, begin: number, calledAt: number): ReadUnderWay {
    let ofKey = this.#keys.get(digest)
    if (ofKey === undefined) {
      ofKey = { digest, reads: 0, voidedAt: 0, top: 0 }
      this.#keys.set(digest, ofKey)
    }
    ofKey.reads += 1
    return { place, key, ofKey, begin, calledAt }
  }

  end({ ofKey }: ReadUnderWay): void {
    ofKey.reads -= 1
    if (ofKey.reads === 0 && this.#keys.get(ofKey.digest) === ofKey) this.#keys.delete(ofKey.digest)
  }

  noteVoid(digest: Digest, at: number): void {
    const ofKey = this.#keys.get(digest)
    if (ofKey !== undefined && at > ofKey.voidedAt) ofKey.voidedAt = at
  }

  noteVersion(digest: Digest, version: number): void {
    const ofKey = this.#keys.get(digest)
    if (ofKey !== undefined && version > ofKey.top) ofKey.top = version
  }

  /** The highest version that somebody was answered while the key was being read; 0: nobody was. */
  top(digest: Digest): number {
    return this.#keys.get(digest)?.top ?? 0
  }

  /** All reads under way are void, and versions may begin anew: what happened to them is no matter to those that come. */
  forget(): void {
    this.#keys.clear()
  }
}
