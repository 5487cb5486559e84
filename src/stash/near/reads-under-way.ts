import type { Digest } from './digest'

/** Reads that began in one phase. */
interface Phase {
  reads: number
  readonly marks: Map<Digest, Mark>
}

/** What happened to a key while reads were under way. */
interface Mark {
  /** When it was voided last; 0: it was not. */
  voidedAt: number
  /** The highest version that somebody was answered; 0: nobody was. */
  top: number
}

/** A read from its call to its answer. */
export interface ReadUnderWay {
  /** Where the sequence of events stood. */
  readonly begin: number
  /** By the clock of this process, at the call: before the statement left. */
  readonly calledAt: number
  readonly phase: Phase
}

/** Marks kept at most: 20 MB. A read that hangs for its whole time limit beside a flood of writes comes to that. */
const mostMarks = 200_000

/**
 * What happened to keys, for reads that began before it. It is forgotten once none of those is under way: marks are made in the phase of the day, and a phase goes when its reads, and
 * those of the one before, have ended.
 */
export class ReadsUnderWay {
  #old: Phase = emptyPhase()
  #young: Phase = emptyPhase()

  /** How many they are. */
  get size(): number {
    return this.#old.reads + this.#young.reads
  }

  /** Marks in memory. */
  get marks(): number {
    return this.#old.marks.size + this.#young.marks.size
  }

  begin(begin: number, calledAt: number): ReadUnderWay {
    this.#young.reads += 1
    return { begin, calledAt, phase: this.#young }
  }

  end({ phase }: ReadUnderWay): void {
    phase.reads -= 1
    if (this.#old.reads === 0) this.#turn()
  }

  /** @returns false: too much is kept, and all reads under way have to be voided */
  noteVoid(digest: Digest, at: number): boolean {
    if (this.size === 0) return true
    const mark = this.#mark(digest)
    if (at > mark.voidedAt) mark.voidedAt = at
    return this.marks <= mostMarks
  }

  noteVersion(digest: Digest, version: number): void {
    if (this.size === 0) return
    const mark = this.#mark(digest)
    if (version > mark.top) mark.top = version
  }

  /** When the key was voided last, as far as a read under way has to know. */
  voidedAt(digest: Digest): number {
    return Math.max(this.#young.marks.get(digest)?.voidedAt ?? 0, this.#old.marks.get(digest)?.voidedAt ?? 0)
  }

  /** The highest version that somebody was answered, as far as a read under way has to know. */
  top(digest: Digest): number {
    return Math.max(this.#young.marks.get(digest)?.top ?? 0, this.#old.marks.get(digest)?.top ?? 0)
  }

  /** All reads under way are void: nobody asks any more. */
  forgetMarks(): void {
    this.#old.marks.clear()
    this.#young.marks.clear()
  }

  /** No read is older than the young phase, so nobody asks for what happened before it. */
  #turn(): void {
    if (this.#young.reads === 0) this.forgetMarks()
    if (this.#young.marks.size === 0) return
    this.#old = this.#young
    this.#young = emptyPhase()
  }

  #mark(digest: Digest): Mark {
    const { marks } = this.#young
    const known = marks.get(digest)
    if (known !== undefined) return known
    const mark = { voidedAt: 0, top: 0 }
    marks.set(digest, mark)
    return mark
  }
}

function emptyPhase(): Phase {
  return { reads: 0, marks: new Map() }
}
