import type { Address } from '../../coalescing/address'
import { startTimer } from '../../own-clock'
import type { HeldKey, LoadedWrite, LoadTable } from '../../postgres/loading/table'

const renewalsPerLease = 3

/** Leases that are this process's until what was loaded under them is stored, or they are given up. Renewed meanwhile. */
export class HeldLeases {
  readonly #table: LoadTable
  readonly #address: Address
  readonly #leaseMs: number
  #held: readonly HeldKey[]
  #stop: (() => void) | undefined

  constructor(table: LoadTable, address: Address, held: readonly HeldKey[], leaseMs: number) {
    this.#table = table
    this.#address = address
    this.#leaseMs = leaseMs
    this.#held = held
    this.#renewLater()
  }

  /** undefined: it was lost. */
  tokenOf(key: string): number | undefined {
    return this.#held.find((one) => one.key === key)?.token
  }

  /** The versions, in the order of the keys; undefined: it was voided. Ends them. */
  async store(writes: readonly LoadedWrite[]): Promise<(number | undefined)[]> {
    this.end()
    return this.#table.store(this.#address, writes)
  }

  /**
   * Gives those of some keys up. What goes wrong with it ends with the lease.
   * @returns whether nothing had voided them: false where that is not known
   */
  async release(keys: readonly string[], backoffMs = 0): Promise<boolean> {
    const given = this.#held.filter(({ key }) => keys.includes(key))
    this.#held = this.#held.filter(({ key }) => !keys.includes(key))
    if (this.#held.length === 0) this.end()
    if (given.length === 0) return false
    const areCurrent = await this.#table.release(this.#address, given, backoffMs).catch(() => [false])
    return areCurrent.every(Boolean)
  }

  /** They are renewed no more. */
  end(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #renewLater(): void {
    this.#stop = startTimer(() => void this.#renew(), this.#leaseMs / renewalsPerLease)
  }

  async #renew(): Promise<void> {
    const held = this.#held
    // One that fails is tried again: either a later one gets through, or the lease ends.
    const areMine = await this.#table.renew(this.#address, held, this.#leaseMs).catch(() => held.map(() => true))
    if (this.#stop === undefined) return
    // Of one that is lost nothing is stored, whatever is done: the load goes on for those who wait for it.
    this.#held = this.#held.filter((one) => areMine[held.indexOf(one)] !== false)
    if (this.#held.length === 0) this.end()
    else this.#renewLater()
  }
}
