import { resolveTenant } from '../entry/tenant'
import { InvalidArgumentError } from '../errors'
import type { Cache } from './cache'
import { ImportCheckpoint, type ImportPosition } from './import-checkpoint'
import { ImportSeal } from './import-seal'
import { type ImportSource, readAhead, type SourceEntry, type SourcePage } from './import-source'
import { ImportTally } from './import-tally'
import { ifAbsent, overwriting, rehearsing, type WriteEntry } from './import-target'
import { type ImportValues, importedValue, textOf } from './import-value'
import type { PgStash } from './pg-stash'

export type { ImportTally }

/** Where an import writes, and how. */
export interface ImportOptions {
  readonly namespace: string
  readonly version?: number | undefined
  /** Default: the tenant `default`. */
  readonly tenant?: string | undefined
  /** Taken off every key; keys without it are skipped. Default: none. */
  readonly stripPrefix?: string | undefined
  readonly values: ImportValues
  /** Keeps entries that are there. */
  readonly ifAbsent?: boolean | undefined
  /** Reads everything and writes nothing. */
  readonly dryRun?: boolean | undefined
  /** Does not go on from where an earlier run stopped. */
  readonly restart?: boolean | undefined
  readonly onProgress?: ((tally: ImportTally) => void) | undefined
  /** Ends it after the page under way; a re-run goes on from there. */
  readonly signal?: AbortSignal | undefined
}

/** Where imports keep how far they have come. */
const progressNamespace = 'pgstash-import'

/** The namespace an import writes to. @throws {InvalidArgumentError} */
export function importedNamespace(stash: PgStash, { tenant, namespace, version }: ImportOptions): Cache {
  if (namespace === progressNamespace) {
    throw new InvalidArgumentError('namespace', 'is where imports keep their progress', 'Choose another.')
  }
  return stash.tenant(resolveTenant(tenant)).namespace(namespace, { version })
}

/** Copies all entries of a source with what is left of their ttl. Killed and run again it goes on where it stopped; entries written twice are the same. */
export class Import {
  readonly #source: ImportSource
  readonly #options: ImportOptions
  readonly #cache: Cache
  readonly #checkpoint: ImportCheckpoint | undefined
  readonly #write: WriteEntry
  #tally = new ImportTally(0)
  #witness: string | undefined

  /** @throws {InvalidArgumentError} a name that will not do */
  constructor(stash: PgStash, source: ImportSource, options: ImportOptions) {
    this.#source = source
    this.#options = options
    this.#cache = importedNamespace(stash, options)
    const progress = stash.tenant(resolveTenant(options.tenant)).namespace(progressNamespace)
    const seal = new ImportSeal(source.secret)
    this.#checkpoint = options.dryRun ? undefined : new ImportCheckpoint(progress, identityOf(source, options), seal)
    if (options.dryRun) this.#write = rehearsing(stash.maxValueBytes)
    else this.#write = options.ifAbsent ? ifAbsent(this.#cache) : overwriting(this.#cache)
  }

  /** Another one of the same source and options would go on where this one stopped. */
  get canResume(): boolean {
    return this.#checkpoint?.isKept === true
  }

  async run(): Promise<ImportTally> {
    const epoch = await this.#source.epoch()
    const start = await this.#start(epoch)
    this.#tally = new ImportTally(start?.read ?? 0)
    this.#witness = start?.witness
    let reached: ImportPosition | undefined
    for await (const page of readAhead(this.#source.pages(start?.cursor))) {
      await Promise.all([reached && this.#checkpoint?.note(reached), this.#writePage(page)])
      reached = this.#positionBehind(page, epoch)
      this.#options.onProgress?.(this.#tally)
      if (this.#options.signal?.aborted && page.next !== undefined) return this.#stopAt(reached)
    }
    await this.#checkpoint?.remove()
    return this.#tally
  }

  async #start(epoch: string | undefined): Promise<ImportPosition | undefined> {
    if (!this.#options.restart) return this.#checkpoint?.load(epoch, this.#cache)
    // Or a run without --restart after this one would go on where that old one stopped.
    await this.#checkpoint?.remove()
    return undefined
  }

  async #stopAt(reached: ImportPosition | undefined): Promise<ImportTally> {
    if (reached !== undefined) await this.#checkpoint?.save(reached)
    this.#tally.isStopped = true
    return this.#tally
  }

  async #writePage({ entries, skipped, readAt }: SourcePage): Promise<void> {
    for (const reason of skipped) this.#tally.count(reason)
    const elapsed = performance.now() - readAt
    const outcomes = await Promise.all(entries.map((entry) => this.#writeEntry(entry, elapsed)))
    for (const outcome of outcomes) this.#tally.count(outcome)
  }

  async #writeEntry({ key: stored, value, ttl: left }: SourceEntry, elapsed: number): Promise<string> {
    const ttl = left === null ? null : left - elapsed
    if (ttl !== null && ttl <= 0) return 'expired'
    const text = textOf(stored)
    if (text === undefined) return 'key-not-utf8'
    const prefix = this.#options.stripPrefix ?? ''
    if (!text.startsWith(prefix)) return 'other-prefix'
    const key = text.slice(prefix.length)
    const outcome = await this.#write({ key, value: this.#valueOf(value), ttl })
    if (outcome === 'written' || outcome === 'present') this.#witness = key
    return outcome
  }

  #valueOf(stored: string | Uint8Array): unknown {
    return importedValue(stored, this.#options.values, () => {
      this.#tally.notJson += 1
    })
  }

  #positionBehind({ next }: SourcePage, epoch: string | undefined): ImportPosition | undefined {
    if (next === undefined || epoch === undefined) return undefined
    const read = this.#tally.readBefore + this.#tally.read
    return { cursor: next, epoch, read, witness: this.#witness }
  }
}

/** Another source, target, or way of writing is another import. */
function identityOf({ name }: ImportSource, options: ImportOptions): string {
  const { namespace, version, stripPrefix, values } = options
  return JSON.stringify([name, namespace, version ?? null, stripPrefix ?? '', values, options.ifAbsent ?? false])
}
