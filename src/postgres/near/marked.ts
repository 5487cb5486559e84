import type { Address } from '../../coalescing/address'

/** More than are written at a time; beyond it, one that is written again costs a statement that does nothing. */
const mostKept = 10_000

/**
 * The namespaces of which this process knows that their writes are to be logged. The lone statements write nothing where a namespace is marked and that is not known
 * here; they are sent again as those that log, and from then on it is.
 */
export class MarkedNamespaces {
  readonly #ids = new Set<string>()

  has({ id }: Address): boolean {
    return this.#ids.has(id)
  }

  add({ id }: Address): void {
    if (this.#ids.size >= mostKept && !this.#ids.has(id)) {
      const [oldest] = this.#ids
      this.#ids.delete(oldest as string)
    }
    this.#ids.add(id)
  }

  get isEmpty(): boolean {
    return this.#ids.size === 0
  }
}
