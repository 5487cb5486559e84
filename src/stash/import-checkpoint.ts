import type { Cache } from './cache'

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
  readonly #key: string
  #savedAt = performance.now()

  constructor(cache: Cache, key: string) {
    this.#cache = cache
    this.#key = key
  }

  /** @param written where the import writes: it may have been cleared since */
  async load(epoch: string | undefined, written: Cache): Promise<ImportPosition | undefined> {
    const position = await this.#cache.get<ImportPosition>(this.#key)
    if (position === undefined || position.epoch !== epoch) return undefined
    const holds = position.witness === undefined || (await written.has(position.witness))
    return holds ? position : undefined
  }

  /** Call it when everything before the position is written. */
  async save(position: ImportPosition): Promise<void> {
    if (performance.now() - this.#savedAt < savedEveryMs) return
    this.#savedAt = performance.now()
    await this.#cache.set(this.#key, position, { ttl: keptMs })
  }

  async remove(): Promise<void> {
    await this.#cache.delete(this.#key)
  }
}
