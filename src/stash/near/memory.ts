import { LRUCache } from 'lru-cache'
import type { Address } from '../../coalescing/address'
import { ownCopy } from '../../entry/kept-name'
import { type Digest, digestOf } from '../../postgres/near/digest'
import type { KeptValue } from './value'

/** Since when something is void: what began before it does not count. Tenants and namespaces have one; an entry may refer to more. */
export interface Epoch {
  at: number
  /** Clears of this process that are under way: until they are answered nothing enters. */
  sweeps: number
}

function newEpoch(): Epoch {
  return { at: 0, sweeps: 0 }
}

/** An entry in memory, or that there is none. */
export interface Held {
  readonly place: Place
  /** As stored. */
  readonly key: string
  readonly digest: Digest
  /** Where the sequence of events stood when it was asked for, or acknowledged. */
  begin: number
  /** 0: there is none. */
  readonly version: number
  /** When it is no answer any more, by the clock of this process. */
  deadline: number
  /** When the entry itself expires, by the same clock; Infinity: never. */
  expiry: number
  /** The same by the clock of the database, in epoch milliseconds; null: never; undefined: not known. */
  expiresAt: number | null | undefined
  /** The numbers of its tags; undefined: it has none. */
  readonly tags: readonly string[] | undefined
  kept: KeptValue
  /** When it was used last, about. */
  touchedAt: number
}

/** What is known of one namespace. */
export class Place {
  readonly entries = new Map<string, Held>()
  readonly epoch: Epoch = newEpoch()
  readonly digest: Digest
  /** When an answer said that everybody who writes here tells the log; 0: none did, or the last one said otherwise. */
  toldAt = 0
  /** Its handles have to ask for it anew. */
  isForgotten = false
  readonly #prefix: string

  constructor(
    /** That of the address. */
    readonly id: string,
    readonly tenant: string,
    /** Of its tenant. */
    readonly tenantEpoch: Epoch,
    /** Of everything. */
    readonly wholeEpoch: Epoch,
  ) {
    this.digest = digestOf(id)
    this.#prefix = `${id}\0`
  }

  /** Of an entry. @param key as stored */
  digestOf(key: string): Digest {
    return digestOf(this.#prefix + key)
  }

  /** Whether this process is emptying it, or a part of it. */
  get isBeingSwept(): boolean {
    return this.epoch.sweeps > 0 || this.tenantEpoch.sweeps > 0
  }

  /** Whether what began then is void, as all of a namespace, a tenant or the stash. */
  isVoidSince(begin: number): boolean {
    return this.epoch.at > begin || this.tenantEpoch.at > begin || this.wholeEpoch.at > begin
  }
}

/** Of a stash, in its options. */
export interface MemoryLimits {
  readonly maxBytes: number
  readonly maxEntries: number
}

/** What an entry takes beside its key and its value: measured, docs/guide/near-cache.md, "Memory". */
const ofEntry = 420

const touchEveryMs = 100

/** A larger one would push out too many others. */
const smallestShare = 64

/** Namespaces known at most, whatever they hold; those used longest ago go first. */
const mostPlaces = 10_000

/** The entries of all namespaces: bounded by what they weigh and by how many they are, those used longest ago go first. */
export class Memory {
  /** Of everything. */
  readonly epoch: Epoch = newEpoch()
  readonly #entries: LRUCache<Digest, Held>
  readonly #mostOfOne: number
  readonly #places = new Map<string, Place>()
  readonly #placesByDigest = new Map<Digest, Place>()
  readonly #tenants = new Map<Digest, { readonly epoch: Epoch; places: number }>()

  constructor({ maxBytes, maxEntries }: MemoryLimits) {
    this.#mostOfOne = Math.floor(maxBytes / smallestShare)
    this.#entries = new LRUCache<Digest, Held>({
      max: maxEntries,
      maxSize: maxBytes,
      dispose: (held) => {
        if (held.place.entries.get(held.key) === held) held.place.entries.delete(held.key)
      },
    })
  }

  get size(): number {
    return this.#entries.size
  }

  /** What the entries weigh. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  /** The place of an address; made where there is none. */
  place({ tenant, id }: Address): Place {
    const known = this.#places.get(id)
    if (known !== undefined) return known
    for (const oldest of this.#places.values()) {
      if (this.#places.size < mostPlaces) break
      this.#forget(oldest)
    }
    return this.#add(ownCopy(id), ownCopy(tenant))
  }

  placeOf(digest: Digest): Place | undefined {
    return this.#placesByDigest.get(digest)
  }

  tenantOf(digest: Digest): Epoch | undefined {
    return this.#tenants.get(digest)?.epoch
  }

  /** Used just now. To be told so ten times a second is enough to know what was used longest ago, and saves a hit a fifth of its time. */
  touch(held: Held, now: number): void {
    if (now - held.touchedAt < touchEveryMs) return
    held.touchedAt = now
    this.#entries.get(held.digest)
  }

  of(digest: Digest): Held | undefined {
    return this.#entries.peek(digest)
  }

  /** @param bytes of its value. @returns false: too large, and nothing is held */
  put(held: Held, bytes: number): boolean {
    const weight = ofEntry + 2 * held.key.length + bytes
    this.drop(held.digest)
    if (weight > this.#mostOfOne) return false
    this.#entries.set(held.digest, held, { size: weight })
    held.place.entries.set(held.key, held)
    return true
  }

  /** The same version was answered again: its value stands, and how long it may. */
  renew(held: Held, renewed: Pick<Held, 'begin' | 'deadline' | 'expiry' | 'expiresAt' | 'touchedAt'>): void {
    Object.assign(held, renewed)
    this.#entries.get(held.digest)
  }

  /** The same value in another form. @param bytes of it; where it is too large now, it goes */
  replace(held: Held, kept: KeptValue, bytes: number): void {
    held.kept = kept
    if (this.of(held.digest) === held) this.put(held, bytes)
  }

  drop(digest: Digest): void {
    this.#entries.delete(digest)
  }

  /** All entries; the places stay. */
  clear(): void {
    this.#entries.clear()
  }

  #add(id: string, tenant: string): Place {
    const ofTenant = digestOf(tenant)
    const known = this.#tenants.get(ofTenant) ?? { epoch: newEpoch(), places: 0 }
    known.places += 1
    this.#tenants.set(ofTenant, known)
    const place = new Place(id, tenant, known.epoch, this.epoch)
    const other = this.#placesByDigest.get(place.digest)
    if (other !== undefined) this.#forget(other)
    this.#places.set(id, place)
    this.#placesByDigest.set(place.digest, place)
    return place
  }

  #forget(place: Place): void {
    place.isForgotten = true
    for (const { digest } of [...place.entries.values()]) this.drop(digest)
    this.#places.delete(place.id)
    this.#placesByDigest.delete(place.digest)
    const ofTenant = digestOf(place.tenant)
    const tenant = this.#tenants.get(ofTenant)
    if (tenant === undefined) return
    tenant.places -= 1
    if (tenant.places === 0) this.#tenants.delete(ofTenant)
  }
}
