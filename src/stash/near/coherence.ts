import type { Address } from '../../coalescing/address'
import type { NearRow } from '../../postgres/entries/table'
import { type Digest, loggedDigest } from '../../postgres/near/digest'
import type { LogPage, LogPosition, LogRow, LostRows } from '../../postgres/near/log-page'
import { Bound } from './bound'
import { type Epoch, type Held, Memory, type MemoryLimits, type Place } from './memory'
import { ReadsUnderWay, type ReadUnderWay } from './reads-under-way'
import { absent, type KeptValue, keep, keepUnread } from './value'

/** A row of the database. Of what this process wrote itself it may not know the moment at which that expires, nor its tags. */
export type FoundRow = Omit<NearRow, 'expiresAt' | 'tags'> & {
  readonly expiresAt?: NearRow['expiresAt'] | undefined
  readonly tags?: NearRow['tags'] | undefined
}

/** What the database answers of a key. */
export interface Answer {
  /** undefined: it is not there. */
  readonly row: FoundRow | undefined
  /** Whether every write of the namespace that this answer does not see is one that tells the log. */
  readonly isTold: boolean
}

/** How a namespace is held. */
export interface HoldRules {
  /** An entry answers for so long at most, in milliseconds, whatever it has left. */
  readonly ttl: number
  /** For so long it is remembered that there is none, in milliseconds; 0: not. */
  readonly absentTtl: number
}

/** A write of this process from its call to its answer. */
export interface WriteUnderWay {
  readonly place: Place
  readonly key: string
  readonly digest: Digest
  /** Where the sequence of events stood once the call had voided the key. */
  readonly begin: number
  readonly calledAt: number
}

/** What the writes of one key that are under way have to know. */
interface Pending {
  writes: number
  voidedAt: number
  top: number
}

/** What is counted. */
export interface CoherenceCounts {
  hits: number
  misses: number
  fills: number
  discardedFills: number
  invalidations: number
  readonly drops: { incarnation: number; pruned: number }
}

export interface CoherenceOptions extends MemoryLimits {
  readonly maxStalenessMs: number
  /** The clock of this process: it only goes forward. */
  readonly now: () => number
  /** When a write of this process was acknowledged, as `seq` stood; undefined: it is not one, or its outcome is not known. */
  readonly acknowledgedAt: (nonce: string) => number | undefined
}

/** Any other means everything: also what a later version of this package has to tell. */
const knownKinds: ReadonlySet<string> = new Set(['k', 'n', 't', 'g'])

/** What the number of a tag takes, about. */
const bytesOfTag = 64

const bytesOfTags = (tags: readonly string[] | undefined) => bytesOfTag * (tags?.length ?? 0)

/** A value as it is kept, with the bytes it takes. */
export interface Decoded {
  readonly kept: KeptValue
  readonly bytes: number
}

/** Numbers of tags that are known to be void. More: everything is void, and none has to be known. */
const mostVoidTags = 10_000

/**
 * The rules by which memory stays coherent, docs/guide/near-cache.md, "The races it closes": no clock but the process's own, no database. Events are numbered: whatever began before something was
 * voided, be it read or held, does not count any more.
 *
 * test/stash/near/model.test.ts runs them over a small database that does everything wrong it may, and takes each of them away in turn.
 */
export class Coherence {
  /** How many events there were: pages applied, calls and acknowledgements of own writes. */
  seq = 1
  readonly counts: CoherenceCounts = {
    hits: 0,
    misses: 0,
    fills: 0,
    discardedFills: 0,
    invalidations: 0,
    drops: { incarnation: 0, pruned: 0 },
  }
  readonly bound: Bound
  readonly memory: Memory
  /** Of the last page that was applied; undefined: there was none. */
  position: LogPosition | undefined
  readonly reads = new ReadsUnderWay()
  readonly #writes = new Map<Digest, Pending>()
  /** A number that is void never comes back: what has it is void, whenever it was read. */
  readonly #voidTags = new Set<string>()
  protected readonly options: CoherenceOptions

  constructor(options: CoherenceOptions) {
    this.options = options
    this.bound = new Bound(options.maxStalenessMs)
    this.memory = new Memory(options)
  }

  place(address: Address): Place {
    return this.memory.place(address)
  }

  /** What memory answers; undefined: ask the database. @param graceMs how much beyond the bound, in milliseconds */
  find(place: Place, key: string, now: number, graceMs = 0): Held | undefined {
    const held = place.entries.get(key)
    return held !== undefined && this.mayAnswer(held, now, graceMs) ? held : undefined
  }

  /** Whether that is an answer now. What never will be again is dropped. */
  mayAnswer(held: Held, now: number, graceMs = 0): boolean {
    if (!this.isWithinBound(now, graceMs)) return false
    if (this.isPast(held, now) || this.isVoid(held)) {
      this.memory.drop(held.digest)
      return false
    }
    this.memory.touch(held, now)
    return true
  }

  /** Of what is held as text until somebody reads it: the value, decoded once for all readers to come. */
  read(held: Held, isFrozen: boolean): KeptValue {
    const { kept } = held
    if (kept.form !== 'unread') return kept
    const decoded = keep(kept.format, kept.value as string, isFrozen)
    this.memory.replace(held, decoded.kept, decoded.bytes + bytesOfTags(held.tags))
    return decoded.kept
  }

  /** A statement of this process was acknowledged, whoever asked for it: an event, by which its row in the log is dated. */
  acknowledge(): number {
    this.seq += 1
    return this.seq
  }

  /** A call about a key that goes to the database. @param key as stored */
  beginRead(place: Place, key: string): ReadUnderWay {
    return this.reads.begin(place, key, this.#digestOf(place, key), this.seq, this.options.now())
  }

  /** Once for each read that began, answered or not, after its answer. */
  endRead(read: ReadUnderWay): void {
    this.reads.end(read)
  }

  /**
   * What the database answered: it may enter, and what it proves old goes.
   * @param decoded the value of the row, where somebody has it who may share it with all
   */
  answered(read: ReadUnderWay, { row, isTold }: Answer, rules: HoldRules, decoded?: Decoded): void {
    this.noteTold(read, isTold)
    if (row === undefined) this.#absent(read, isTold, rules)
    else this.#present(read, row, isTold, rules, decoded)
  }

  /** Before a write leaves: a read that is asked after it, awaited or not, goes to the database, behind it. */
  beginWrite(place: Place, key: string): WriteUnderWay {
    const digest = this.#digestOf(place, key)
    const pending = this.#writes.get(digest)
    if (pending === undefined) this.#writes.set(digest, { writes: 1, voidedAt: 0, top: 0 })
    else pending.writes += 1
    this.voidAtCall(digest)
    return { place, key, digest, begin: this.seq, calledAt: this.options.now() }
  }

  /**
   * After its answer, whatever that was: reads that left before it are void, and what was written may enter.
   * @param row what was written, where the answer tells all of it
   */
  endWrite(write: WriteUnderWay, row?: FoundRow, rules?: HoldRules): void {
    const mayEnter = row !== undefined && rules !== undefined && this.mayWriteThrough(write, row.version)
    this.#endPending(write.digest)
    this.voidAtAcknowledgement(write.digest)
    if (row === undefined) return
    this.noteVersion(write.digest, row.version)
    if (mayEnter) this.#hold(write, this.seq, row, rules)
  }

  /** Before a namespace or a tenant is emptied, or a part of it. */
  beginSweep(epoch: Epoch): void {
    epoch.sweeps += 1
    this.voidEpoch(epoch)
  }

  /** After its answer, whatever that was. */
  endSweep(epoch: Epoch): void {
    epoch.sweeps -= 1
    this.voidEpoch(epoch)
  }

  /**
   * The answer of a poll.
   * @param sentAt by the clock of this process, before it was sent
   */
  apply(page: LogPage, sentAt: number): void {
    this.seq += 1
    const reason = this.reasonToDrop(page)
    if (reason === undefined) for (const row of page.rows) this.#applyRow(row)
    else this.drop(reason)
    this.position = page.position
    this.bound.renew(sentAt)
  }

  /** Forgets all that is held, and all that is being read. */
  drop(reason?: LostRows | 'first'): void {
    if (reason === 'incarnation' || reason === 'pruned') this.counts.drops[reason] += 1
    this.voidEpoch(this.memory.epoch)
    this.reads.forget()
    this.memory.clear()
  }

  /** Undefined: the page has everything since the last one. */
  protected reasonToDrop({ lost }: LogPage): LostRows | 'first' | undefined {
    return this.position === undefined ? 'first' : lost
  }

  /** A backup, or a standby that took over, may know nothing of a mark: each answer says whether it does, and what is void is so in this as well. */
  protected noteTold({ begin, place }: ReadUnderWay, isTold: boolean): void {
    if (!isTold) place.toldAt = 0
    else if (begin > place.toldAt) place.toldAt = begin
  }

  protected isTold(place: Place): boolean {
    return place.toldAt > 0 && !place.isVoidSince(place.toldAt)
  }

  protected voidEpoch(epoch: Epoch): void {
    this.seq += 1
    epoch.at = this.seq
  }

  protected voidTags(numbers: readonly string[]): void {
    for (const number of numbers) this.#voidTags.add(number)
    if (this.#voidTags.size <= mostVoidTags) return
    this.voidEpoch(this.memory.epoch)
    this.#voidTags.clear()
  }

  protected isWithinBound(now: number, graceMs: number): boolean {
    return this.bound.holdsAt(now, graceMs)
  }

  protected isPast(held: Held, now: number): boolean {
    return now >= held.deadline
  }

  protected isVoid(held: Held): boolean {
    return held.place.isVoidSince(held.begin) || (held.tags !== undefined && this.isVoidByTag(held.tags))
  }

  protected isVoidByTag(tags: readonly string[]): boolean {
    return this.#voidTags.size > 0 && tags.some((tag) => this.#voidTags.has(tag))
  }

  /** Whether something that covers the key was voided after the read began. */
  protected isFenced({ place, begin, ofKey }: ReadUnderWay): boolean {
    return place.isVoidSince(begin) || ofKey.voidedAt > begin
  }

  /** Whether a newer version was answered meanwhile. */
  protected isBehind(digest: Digest, version: number): boolean {
    return version < this.reads.top(digest)
  }

  protected isBeingWritten(place: Place, digest: Digest): boolean {
    return place.isBeingSwept || this.#writes.has(digest)
  }

  /** Nothing else voided the key since the call, and nobody was answered anything newer. */
  protected mayWriteThrough({ place, digest, begin }: WriteUnderWay, version: number): boolean {
    const pending = this.#writes.get(digest) as Pending
    if (pending.writes > 1 || pending.voidedAt > begin || place.isVoidSince(begin) || !this.isTold(place)) return false
    return version >= pending.top && !this.isBehind(digest, version)
  }

  protected voidAtCall(digest: Digest): void {
    this.seq += 1
    this.voidKey(digest, this.seq)
  }

  protected voidAtAcknowledgement(digest: Digest): void {
    this.seq += 1
    this.voidKey(digest, this.seq)
  }

  /** Nobody may fill what an older snapshot has once somebody was told that there is nothing. */
  protected voidByAbsence(digest: Digest): void {
    this.seq += 1
    this.voidKey(digest, this.seq)
  }

  protected dropOlder(digest: Digest, version: number): void {
    const held = this.memory.of(digest)
    if (held !== undefined && held.version < version) this.memory.drop(digest)
  }

  protected noteVersion(digest: Digest, version: number): void {
    this.reads.noteVersion(digest, version)
    const pending = this.#writes.get(digest)
    if (pending !== undefined && version > pending.top) pending.top = version
  }

  /** Of own writes that are known to be done, it is the moment that this process knew; what it wrote through since may stay. */
  protected voidedAt({ nonce }: LogRow): number {
    return (nonce === null ? undefined : this.options.acknowledgedAt(nonce)) ?? this.seq
  }

  /** What began before `at`, held or being read, does not count. */
  protected voidKey(digest: Digest, at: number): void {
    const held = this.memory.of(digest)
    if (held !== undefined && held.begin < at) this.memory.drop(digest)
    const pending = this.#writes.get(digest)
    if (pending !== undefined && at > pending.voidedAt) pending.voidedAt = at
    this.reads.noteVoid(digest, at)
  }

  /** When an answer is no answer any more. Counted from the call: early by a round trip, never late. */
  protected deadlineOf(calledAt: number, leftMs: number | null): number {
    return leftMs === null ? Number.POSITIVE_INFINITY : calledAt + leftMs
  }

  /** What is held knows its own: to work one out takes as long as to find ten. */
  #digestOf(place: Place, key: string): Digest {
    return place.entries.get(key)?.digest ?? place.digestOf(key)
  }

  #absent(read: ReadUnderWay, isTold: boolean, { absentTtl }: HoldRules): void {
    const { place, key, calledAt } = read
    const { digest, top } = read.ofKey
    const mayEnter = absentTtl > 0 && isTold && !this.isFenced(read) && top === 0
    this.voidByAbsence(digest)
    if (!mayEnter || place.isForgotten || this.isBeingWritten(place, digest)) return
    const deadline = calledAt + absentTtl
    const held = { place, key, digest, begin: this.seq, version: 0, deadline, expiry: deadline }
    this.memory.put({ ...held, expiresAt: undefined, tags: undefined, kept: absent, touchedAt: calledAt }, 0)
  }

  #present(read: ReadUnderWay, row: FoundRow, isTold: boolean, rules: HoldRules, decoded: Decoded | undefined): void {
    const { place, key, begin, calledAt } = read
    const { digest } = read.ofKey
    this.dropOlder(digest, row.version)
    const mayEnter =
      isTold && !this.isFenced(read) && !this.isBeingWritten(place, digest) && !this.isBehind(digest, row.version)
    this.noteVersion(digest, row.version)
    if (mayEnter) this.#hold({ place, key, digest, calledAt }, begin, row, rules, decoded)
    else if (isTold) this.counts.discardedFills += 1
  }

  #hold(
    { place, key, digest, calledAt }: Pick<WriteUnderWay, 'place' | 'key' | 'digest' | 'calledAt'>,
    begin: number,
    { format, text, version, leftMs, expiresAt, tags: given }: FoundRow,
    { ttl }: HoldRules,
    decoded?: Decoded,
  ): void {
    if (place.isForgotten || place.isBeingSwept) return
    const tags = given === undefined || given.length === 0 ? undefined : given
    if (tags !== undefined && this.isVoidByTag(tags)) return
    const held = this.memory.of(digest)
    if (held !== undefined && held.version > version) return
    const expiry = this.deadlineOf(calledAt, leftMs)
    const deadline = Math.min(expiry, calledAt + ttl)
    if (held !== undefined && held.version === version && held.place === place && held.key === key) {
      this.memory.renew(held, { begin, deadline, expiry, expiresAt, touchedAt: calledAt })
      this.counts.fills += 1
      return
    }
    const { kept, bytes } = decoded ?? keepUnread(format, text)
    const entry = { place, key, digest, begin, version, deadline, expiry, expiresAt, tags, kept, touchedAt: calledAt }
    if (this.memory.put(entry, bytes + bytesOfTags(tags))) this.counts.fills += 1
  }

  #applyRow(row: LogRow): void {
    const at = this.voidedAt(row)
    this.counts.invalidations += row.digests.length
    if (!knownKinds.has(row.kind)) this.#voidSince(this.memory.epoch, at)
    if (row.kind === 'g') {
      this.voidTags(row.digests)
      return
    }
    for (const decimals of row.digests) {
      const digest = loggedDigest(decimals)
      if (row.kind === 'k') this.voidKey(digest, at)
      else if (row.kind === 'n') this.#voidSince(this.memory.placeOf(digest)?.epoch, at)
      else if (row.kind === 't') this.#voidSince(this.memory.tenantOf(digest), at)
    }
  }

  #voidSince(epoch: Epoch | undefined, at: number): void {
    if (epoch !== undefined && at > epoch.at) epoch.at = at
  }

  #endPending(digest: Digest): void {
    const pending = this.#writes.get(digest)
    if (pending === undefined) return
    pending.writes -= 1
    if (pending.writes === 0) this.#writes.delete(digest)
  }
}
