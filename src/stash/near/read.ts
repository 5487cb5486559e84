import type { Address } from '../../coalescing/address'
import type { Watch } from '../../coalescing/coalescer'
import type { NearAnswer } from '../../postgres/entries/table'
import type { ResolvedNearOptions } from '../options/near'
import type { Coherence } from './coherence'
import type { Place } from './memory'
import type { ReadUnderWay } from './reads-under-way'
import { decodeFor, keep, readKept } from './value'
import type { View } from './view'

/** Whom a read tells of what it finds out. */
interface Reported {
  readonly coherence: Coherence
  mark(address: Address): void
}

/** The read of one key: what the database answers enters memory on its way to the caller. */
export class NearRead<T> implements Watch<NearAnswer, T> {
  readonly #house: Reported
  readonly #rules: ResolvedNearOptions
  readonly #address: Address
  readonly #place: Place
  readonly #key: string
  readonly #view: View<T>
  #read: ReadUnderWay | undefined

  constructor(house: Reported, rules: ResolvedNearOptions, address: Address, place: Place, key: string, view: View<T>) {
    this.#house = house
    this.#rules = rules
    this.#address = address
    this.#place = place
    this.#key = key
    this.#view = view
  }

  begin(): void {
    const { coherence } = this.#house
    this.#read = coherence.beginRead(this.#place, this.#key)
    coherence.counts.misses += 1
  }

  answered(answer: NearAnswer): T {
    const { row } = answer
    if (!answer.isTold) this.#house.mark(this.#address)
    if (row !== undefined && this.#view.takesValue && this.#rules.isFrozen) return this.#share(answer)
    this.#enter(answer)
    if (row === undefined) return this.#view.ofNone
    return this.#view.ofRow(row, this.#view.takesValue ? decodeFor(row.format, row.text, false) : undefined)
  }

  end(): void {
    this.#house.coherence.endRead(this.#read as ReadUnderWay)
  }

  /** Who asks gets what all others will get. */
  #share(answer: NearAnswer): T {
    const row = answer.row as NonNullable<NearAnswer['row']>
    const decoded = keep(row.format, row.text, true)
    this.#enter(answer, decoded)
    return this.#view.ofRow(row, readKept(decoded.kept, true))
  }

  #enter(answer: NearAnswer, decoded?: ReturnType<typeof keep>): void {
    this.#house.coherence.answered(this.#read as ReadUnderWay, answer, this.#rules, decoded)
  }
}
