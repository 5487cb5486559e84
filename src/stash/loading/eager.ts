import type { StoredKey } from '../../entry/key'
import type { LoadScope } from '../entries/loading'
import type { Flight } from './flight'
import type { LoadTerms } from './terms'

/** Of which keys it is known how long their last load took; of the others that of any is taken. */
const mostKept = 10_000

/** Both in milliseconds. */
interface Noted {
  readonly durationMs: number
  readonly ttl: number | null | undefined
}

interface Aged {
  readonly scope: LoadScope
  readonly stored: StoredKey
  readonly terms: LoadTerms
}

/**
 * When a value is loaded anew before its ttl is over. By XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015): a reader does with the probability
 * e^(-left/duration), so that it happens about one load before the end, and the sooner the longer a load takes.
 */
export class EagerRefresh {
  /** The last load in this process, by address and key. */
  readonly #loads = new Map<string, Noted>()
  #lastMs: number | undefined

  isDue({ scope, stored, terms }: Aged, leftMs: number | null): boolean {
    if (leftMs === null) return false
    const noted = this.#loads.get(`${scope.address.id}\0${stored.key}`)
    if (typeof terms.eager === 'number') {
      // The loader may have chosen another ttl: by a longer one that it has not, each hit would load.
      const ttl = noted?.ttl === undefined ? terms.ttl : noted.ttl
      return ttl !== null && leftMs < ttl * (1 - terms.eager)
    }
    const durationMs = noted?.durationMs ?? this.#lastMs
    return durationMs !== undefined && leftMs <= -durationMs * Math.log(Math.random())
  }

  note({ address, key }: Flight, durationMs: number, ttl: number | null | undefined): void {
    const id = `${address.id}\0${key}`
    this.#lastMs = durationMs
    this.#loads.delete(id)
    this.#loads.set(id, { durationMs, ttl })
    if (this.#loads.size <= mostKept) return
    const [oldest] = this.#loads.keys()
    this.#loads.delete(oldest as string)
  }
}
