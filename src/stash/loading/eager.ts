import type { StoredKey } from '../../entry/key'
import type { LoadScope } from '../entries/loading'
import type { Flight } from './flight'
import type { LoadTerms } from './terms'

/** Of which keys it is known how long their last load took; of the others that of any is taken. */
const mostKept = 10_000

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
  /** Milliseconds that the last load in this process took, by address and key. */
  readonly #durations = new Map<string, number>()
  #lastMs: number | undefined

  isDue({ scope, stored, terms }: Aged, leftMs: number | null): boolean {
    if (leftMs === null) return false
    if (typeof terms.eager === 'number') return terms.ttl !== null && leftMs < terms.ttl * (1 - terms.eager)
    const durationMs = this.#durations.get(`${scope.address.id}\0${stored.key}`) ?? this.#lastMs
    return durationMs !== undefined && leftMs <= -durationMs * Math.log(Math.random())
  }

  note({ address, key }: Flight, durationMs: number): void {
    const id = `${address.id}\0${key}`
    this.#lastMs = durationMs
    this.#durations.delete(id)
    this.#durations.set(id, durationMs)
    if (this.#durations.size <= mostKept) return
    const [oldest] = this.#durations.keys()
    this.#durations.delete(oldest as string)
  }
}
