import type { Located } from '../../coalescing/located'
import { ownCopy } from '../../entry/kept-name'

/** More are read at a time by no process; beyond it, one that is asked about again costs a statement more. */
const mostKept = 10_000

/** The namespaces of which this process has met a tagged entry: reads of them look at tags at once. */
export class TaggedNamespaces {
  readonly #ids = new Set<string>()

  holdAny(requests: readonly Located[]): boolean {
    return this.#ids.size > 0 && requests.some(({ address }) => this.#ids.has(address.id))
  }

  add({ address: { id } }: Located): void {
    if (this.#ids.has(id)) return
    if (this.#ids.size >= mostKept) {
      const [oldest] = this.#ids
      this.#ids.delete(oldest as string)
    }
    this.#ids.add(ownCopy(id))
  }
}
