import type { Address } from '../coalescing/address'
import { StashClosedError } from '../errors'
import type { LoadsDoor } from './entries/loading'
import type { LoadKeeper } from './loading/keeper'

/** What works values out. It is loaded with the first `getOrSet`. */
export class LoadingDoor implements LoadsDoor {
  readonly #timeoutMs: number
  #opening: Promise<LoadKeeper> | undefined
  #isClosed = false
  loads: LoadKeeper | undefined

  /** Made by the stash. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  async open(): Promise<LoadKeeper> {
    if (this.#isClosed) throw new StashClosedError()
    this.#opening ??= this.#load()
    return this.#opening
  }

  /** All of the tenant is emptied, or a part of it. */
  voidTenant(address: Address): void {
    this.loads?.voidAll(address)
  }

  /** With the stash: loads under way are waited for. */
  async end(): Promise<void> {
    this.#isClosed = true
    await (await this.#opening?.catch(() => undefined))?.close()
  }

  async #load(): Promise<LoadKeeper> {
    const { LoadKeeper } = await import('./loading/keeper')
    this.loads = new LoadKeeper(this.#timeoutMs)
    return this.loads
  }
}
