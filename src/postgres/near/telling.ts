import type { Address } from '../../coalescing/address'
import type { Located } from '../../coalescing/located'
import type { Row } from '../wire/driver'
import { MarkedNamespaces } from './marked'
import type { OwnWrites } from './own-writes'

/** Sends a statement that logs, with the number of the write: null where nobody here would know it again. */
type SendTelling = (nonce: string | null) => Promise<readonly Row[]>

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

  /** For a verb that logs by itself where a namespace is marked. */
  send(requests: readonly Located[], send: SendTelling): Promise<readonly Row[]> {
    return this.#knows(requests) ? this.sendTold(send) : send(null)
  }

  /** The same, about one namespace. */
  sendIn(address: Address, send: SendTelling): Promise<readonly Row[]> {
    return this.marked.has(address) ? this.sendTold(send) : send(null)
  }

  /**
   * For a verb whose usual statement does not log: it writes nothing where a namespace is marked, and is not sent where that is known.
   * @param plain answers no rows where it wrote nothing; undefined: it is not sent
   * @param told the same statement, but for what it logs
   * @param learn what its answer says of the namespaces, for the next time
   */
  async sendEither(
    requests: readonly Located[],
    plain: () => Promise<readonly Row[]> | undefined,
    told: SendTelling,
    learn: (rows: readonly Row[]) => void,
  ): Promise<readonly Row[]> {
    const rows = this.#knows(requests) ? undefined : await plain()
    if (rows !== undefined && rows.length > 0) return rows
    const logged = await this.sendTold(told)
    learn(logged)
    return logged
  }

  /** The number is known as one's own once the commit is. */
  async sendTold(send: SendTelling): Promise<readonly Row[]> {
    const nonce = this.own?.next() ?? null
    const rows = await send(nonce)
    if (nonce !== null) this.own?.acknowledge(nonce)
    this.onTold?.()
    return rows
  }

  #knows(requests: readonly Located[]): boolean {
    return !this.marked.isEmpty && requests.some(({ address }) => this.marked.has(address))
  }
}
