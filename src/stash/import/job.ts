import { resolveTenant } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import type { PgStash } from '../pg-stash'
import { ImportCheckpoint, type ImportPosition } from './checkpoint'
import { EntryTarget } from './entries'
import { ImportSeal } from './seal'
import { SessionTarget } from './sessions'
import { type ImportSource, readAhead, type SourceEntry, type SourcePage } from './source'
import { ImportTally } from './tally'
import type { ImportTarget, Outcome, WriteMode } from './target'
import { type ImportValues, textOf } from './value'

export type { ImportTally }

/** Where an import writes, and how. */
export interface ImportOptions extends WriteMode {
  /** What the values are. Default: entries. */
  readonly as?: 'entries' | 'sessions' | undefined
  /** Default: `session` for sessions. */
  readonly namespace?: string | undefined
  /** Of entries. */
  readonly version?: number | undefined
  /** Default: the tenant `default`. */
  readonly tenant?: string | undefined
  /** Taken off every key; keys without it are skipped. Default: none, for sessions `sess:`. */
  readonly stripPrefix?: string | undefined
  /** Of entries. */
  readonly values: ImportValues
  /** Where a session names its user, from field to field: `passport.user`. Default: nowhere. */
  readonly userField?: string | undefined
  /** Does not go on from where an earlier run stopped. */
  readonly restart?: boolean | undefined
  readonly onProgress?: ((tally: ImportTally) => void) | undefined
  /** Ends it after the page under way; a re-run goes on from there. */
  readonly signal?: AbortSignal | undefined
}

/** Where imports keep how far they have come. */
const progressNamespace = 'pgstash-import'

/** What an import writes to. @throws {InvalidArgumentError} a name that will not do */
export function importTarget(stash: PgStash, options: ImportOptions): ImportTarget {
  const { ifAbsent, dryRun, version, values, userField } = options
  const tenant = resolveTenant(options.tenant)
  const namespace = importedNamespace(options)
  if (options.as === 'sessions') return new SessionTarget(stash, { tenant, namespace, userField, ifAbsent, dryRun })
  if (namespace === progressNamespace) {
    throw new InvalidArgumentError('namespace', 'is where imports keep their progress', 'Choose another.')
  }
  return new EntryTarget(stash, { tenant, namespace, version, values, ifAbsent, dryRun })
}

export function importedNamespace({ as, namespace }: Pick<ImportOptions, 'as' | 'namespace'>): string {
  return namespace ?? (as === 'sessions' ? 'session' : '')
}

/** What is taken off the keys: connect-redis begins them with `sess:`. */
export function importedPrefix({ as, stripPrefix }: Pick<ImportOptions, 'as' | 'stripPrefix'>): string {
  return stripPrefix ?? (as === 'sessions' ? 'sess:' : '')
}

/** Copies all entries of a source with what is left of their ttl. Killed and run again it goes on where it stopped; entries written twice are the same. */
export class Import {
  readonly #source: ImportSource
  readonly #options: ImportOptions
  readonly #target: ImportTarget
  readonly #checkpoint: ImportCheckpoint | undefined
  #tally = new ImportTally(0)
  #witness: string | undefined

  /** @throws {InvalidArgumentError} a name that will not do */
  constructor(stash: PgStash, source: ImportSource, options: ImportOptions) {
    this.#source = source
    this.#options = options
    this.#target = importTarget(stash, options)
    const progress = stash.tenant(resolveTenant(options.tenant)).namespace(progressNamespace)
    const seal = new ImportSeal(source.secret)
    this.#checkpoint = options.dryRun ? undefined : new ImportCheckpoint(progress, identityOf(source, options), seal)
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
    if (!this.#options.restart) return this.#checkpoint?.load(epoch, this.#target)
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
    for (const { outcome, notices } of outcomes) this.#tally.count(outcome, notices)
  }

  async #writeEntry({ key: stored, value, ttl: left }: SourceEntry, elapsed: number): Promise<Outcome | Unwanted> {
    const ttl = left === null ? null : left - elapsed
    if (ttl !== null && ttl <= 0) return { outcome: 'expired' }
    const text = textOf(stored)
    if (text === undefined) return { outcome: 'key-not-utf8' }
    const prefix = importedPrefix(this.#options)
    if (!text.startsWith(prefix)) return { outcome: 'other-prefix' }
    const key = text.slice(prefix.length)
    const outcome = await this.#target.write({ key, stored: value, ttl })
    if (outcome.outcome === 'written' || outcome.outcome === 'present') this.#witness = key
    return outcome
  }

  #positionBehind({ next }: SourcePage, epoch: string | undefined): ImportPosition | undefined {
    if (next === undefined || epoch === undefined) return undefined
    const read = this.#tally.readBefore + this.#tally.read
    return { cursor: next, epoch, read, witness: this.#witness }
  }
}

/** No target was asked about it. */
interface Unwanted {
  readonly outcome: 'expired' | 'key-not-utf8' | 'other-prefix'
  readonly notices?: undefined
}

/** Another source, target, or way of writing is another import. */
function identityOf({ name }: ImportSource, options: ImportOptions): string {
  const { as = 'entries', version = null, values, ifAbsent = false, userField = null } = options
  const place = [importedNamespace(options), version, importedPrefix(options)]
  return JSON.stringify([name, as, ...place, values, ifAbsent, userField])
}
