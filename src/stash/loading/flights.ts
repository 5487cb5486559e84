import type { Address } from '../../coalescing/address'
import type { Flight } from './flight'

/** The flights of a stash: of each key at most one that can be joined. */
export class Flights {
  readonly #open = new Map<string, Flight>()
  /** Those too that nobody can join any more. */
  readonly #all = new Set<Flight>()

  get(address: Address, key: string): Flight | undefined {
    return this.#open.get(idOf(address, key))
  }

  /** One that is there goes on for those who wait for it. */
  add(flight: Flight): void {
    const id = idOf(flight.address, flight.key)
    this.#open.get(id)?.detach()
    this.#open.set(id, flight)
    this.#all.add(flight)
    const over = () => {
      this.#all.delete(flight)
      this.#close(id, flight)
    }
    flight.outcome.then(over, over)
    // Nobody waits for it any more, or it took too long: the next one begins anew.
    flight.signal.addEventListener('abort', () => this.#close(id, flight), { once: true })
  }

  /** Somebody who asks from now on starts anew. */
  voidKey(address: Address, key: string): void {
    const id = idOf(address, key)
    this.#open.get(id)?.detach()
    this.#open.delete(id)
  }

  /** The same of all of the namespace; of all of the tenant, where that is ''. */
  voidAll({ tenant, namespace }: Address): void {
    for (const [id, flight] of this.#open) {
      const { address } = flight
      if (address.tenant !== tenant || (namespace !== '' && address.namespace !== namespace)) continue
      flight.detach()
      this.#open.delete(id)
    }
  }

  /** Until all have ended; those that have not are aborted after so many milliseconds. */
  async end(after: Promise<void>, reason: () => unknown): Promise<void> {
    const all = [...this.#all]
    const ended = Promise.allSettled(all.map(({ outcome }) => outcome))
    await Promise.race([ended, after])
    for (const flight of this.#all) flight.abort(reason())
    await ended
  }

  #close(id: string, flight: Flight): void {
    if (this.#open.get(id) === flight) this.#open.delete(id)
  }
}

const idOf = (address: Address, key: string): string => `${address.id}\0${key}`
