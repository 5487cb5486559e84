import type { Address } from '../../coalescing/address'
import type { Located } from '../../coalescing/located'
import { MarkedNamespaces } from './marked'
import type { OwnWrites } from './own-writes'

/** How the writes of a stash tell the near caches of all processes what they changed. One for a stash. */
export class Telling {
  /** undefined: this stash holds nothing near; what it writes is foreign to everybody. */
  readonly own: OwnWrites | undefined
  readonly marked = new MarkedNamespaces()
  /** Called after a statement that told something, once its commit is known: who holds a bell rings it. */
  onTold: (() => void) | undefined

  constructor(own?: OwnWrites) {
    this.own = own
  }

  /** For the log rows of a statement; null where none of its namespaces is known to be marked, or nobody here would know the number again. */
  nonceOf(requests: readonly Located[]): string | null {
    if (this.own === undefined || this.marked.isEmpty) return null
    return requests.some(({ address }) => this.marked.has(address)) ? this.own.next() : null
  }

  /** The same for a statement about one namespace. */
  nonceFor(address: Address): string | null {
    return this.own !== undefined && this.marked.has(address) ? this.own.next() : null
  }

  /** Once the commit is known. */
  acknowledge(nonce: string | null): void {
    if (nonce !== null) this.own?.acknowledge(nonce)
  }
}
