import type { StatementRunner } from '../wire/statement-runner'
import { TaggedNamespaces } from './namespaces'
import type { TaggedReads } from './reads'
import type { TaggedWrites } from './writes'

/** What a tagged entry has in the place of its format where a statement has not looked at its tags. */
export const tagged = '#'

/** What the verbs on entries have to do with tags. The statements are loaded with the first tag: who has none pays nothing for them. */
export class Tagging {
  readonly #database: StatementRunner
  readonly #schema: string
  readonly namespaces = new TaggedNamespaces()
  #writes: TaggedWrites | undefined
  #reads: TaggedReads | undefined

  constructor(database: StatementRunner, schema: string) {
    this.#database = database
    this.#schema = schema
  }

  async writes(): Promise<TaggedWrites> {
    if (this.#writes === undefined) {
      const { TaggedWrites } = await import('./writes')
      this.#writes ??= new TaggedWrites(this.#database, this.#schema)
    }
    return this.#writes
  }

  async reads(): Promise<TaggedReads> {
    if (this.#reads === undefined) {
      const { taggedReads } = await import('./reads')
      this.#reads ??= taggedReads(this.#schema)
    }
    return this.#reads
  }
}
