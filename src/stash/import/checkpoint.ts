import type { Cache } from '../entries/cache'
import { digestOf, type ImportSeal } from './seal'
import type { ImportTarget } from './target'

/** How far an import has come. */
export interface ImportPosition {
  readonly cursor: string
  /** The source's, when the cursor was given out: in another one it means nothing. */
  readonly epoch: string
  /** Entries read up to here. */
  readonly read: number
  /** The key of an entry that was written: if it is gone, so may be the others. */
  readonly witness: string | undefined
}

/** Longer than anybody waits to run an import again; what is left behind by one that never is, the sweep removes. */
const keptMs = 7 * 24 * 60 * 60 * 1000

/** What is done again after a kill. A save costs about as much as writing a few entries. */
const savedEveryMs = 200

/** Keeps the position of one import in an entry of the target, so that a re-run goes on from there. */
export class ImportCheckpoint {
  readonly #cache: Cache
  readonly #identity: string
  readonly #seal: ImportSeal
  #savedAt = performance.now()
  #isKept = false

  /** @param identity of the import; its digest is the key, for patterns and prefixes are as private as keys */
  constructor(cache: Cache, identity: string, seal: ImportSeal) {
    this.#cache = cache
    this.#identity = identity
    this.#seal = seal
  }

  /** There is one, of this run or of the one it went on from. */
  get isKept(): boolean {
    return this.#isKept
  }

  /** @param written where the import writes: it may have been cleared since */
  async load(epoch: string | undefined, written: ImportTarget): Promise<ImportPosition | undefined> {
    const position = await this.#opened(await this.#cache.get<ImportPosition>(await this.#key()))
    if (position === undefined || position.epoch !== epoch) return undefined
    this.#isKept = position.witness === undefined || (await written.has(position.witness))
    return this.#isKept ? position : undefined
  }

  /** Call it when everything before the position is written. From time to time it saves. */
  async note(position: ImportPosition): Promise<void> {
    if (performance.now() - this.#savedAt >= savedEveryMs) await this.save(position)
  }

  async save(position: ImportPosition): Promise<void> {
    this.#savedAt = performance.now()
    const { cursor, witness } = position
    const sealed = { cursor: await this.#seal.close(cursor), witness: witness && (await this.#seal.close(witness)) }
    await this.#cache.set(await this.#key(), { ...position, ...sealed }, { ttl: keptMs })
    this.#isKept = true
  }

  async remove(): Promise<void> {
    await this.#cache.delete(await this.#key())
    this.#isKept = false
  }

  #key(): Promise<string> {
    return digestOf(this.#identity)
  }

  async #opened(sealed: ImportPosition | undefined): Promise<ImportPosition | undefined> {
    if (sealed === undefined) return undefined
    const cursor = await this.#seal.open(sealed.cursor)
    const witness = sealed.witness && (await this.#seal.open(sealed.witness))
    return cursor === undefined ? undefined : { ...sealed, cursor, witness }
  }
}
