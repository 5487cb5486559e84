import { type Address, addressOf } from '../../coalescing/address'
import { resolveTtl } from '../../entry/expiry'
import { storedKey } from '../../entry/key'
import { namespaceName } from '../../entry/namespace'
import type { EntryTable } from '../../postgres/entries/table'
import type { Cache } from '../entries/cache'
import type { PgStash } from '../pg-stash'
import { type ImportedEntry, type ImportTarget, type Outcome, unlessUnfit, type WriteMode } from './target'
import { type ImportValues, importedValue } from './value'

export interface EntryPlace extends WriteMode {
  readonly tenant: string
  readonly namespace: string
  readonly version?: number | undefined
  readonly values: ImportValues
}

/** A namespace that an import fills. It writes to the table itself, for a value is stored as it was written, not as JavaScript would say it again. */
export class EntryTarget implements ImportTarget {
  readonly #cache: Cache
  readonly #table: EntryTable
  readonly #address: Address
  readonly #maxValueBytes: number
  readonly #place: EntryPlace

  /** @throws {InvalidArgumentError} a name that will not do */
  constructor(stash: PgStash, place: EntryPlace) {
    const tenant = stash.tenant(place.tenant)
    this.#cache = tenant.namespace(place.namespace, { version: place.version })
    this.#table = tenant.tables.entries
    this.#address = addressOf(place.tenant, namespaceName(place.namespace, place.version))
    this.#maxValueBytes = stash.maxValueBytes
    this.#place = place
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#cache.keys().next()).done === true
  }

  has(key: string): Promise<boolean> {
    return this.#cache.has(key)
  }

  write(entry: ImportedEntry): Promise<Outcome> {
    return unlessUnfit(() => this.#write(entry))
  }

  async #write({ key, stored, ttl }: ImportedEntry): Promise<Outcome> {
    const { values, ifAbsent, dryRun } = this.#place
    const { encoded, notice } = importedValue(stored, values, this.#maxValueBytes)
    const write = { ...storedKey(key), value: encoded, ttl: resolveTtl(ttl) }
    const written: Outcome = { outcome: 'written', notices: [notice] }
    if (dryRun) return written
    if (ifAbsent) return (await this.#table.add(this.#address, write)) ? written : { outcome: 'present' }
    await this.#table.set(this.#address, write)
    return written
  }
}
