import { keptName, ownCopy } from '../entry/kept-name'

interface Denied {
  hits: number
  /** The last one; this and the next on the process's monotonic clock. */
  at: number
  readonly until: number
}

/** Callers kept at most; the oldest goes first. */
const maxCallers = 10_000

/** A host takes a denial back when it has answered it, which is at once. */
const answeredMs = 1_000

/**
 * Hits that were denied, and so not counted in the database, by caller and window. To a host they are hits like others: it sees them in its totals, and may
 * take them back.
 */
export class DeniedHits {
  readonly #byCaller = new Map<string, Denied>()

  get isEmpty(): boolean {
    return this.#byCaller.size === 0
  }

  /** Adds one; answers how many there are. */
  add(caller: string, windowLeftMs: number): number {
    const known = this.#find(caller)
    if (known !== undefined) {
      known.hits += 1
      known.at = performance.now()
      return known.hits
    }
    if (this.#byCaller.size >= maxCallers) this.#byCaller.delete(this.#byCaller.keys().next().value as string)
    const at = performance.now()
    this.#byCaller.set(ownCopy(keptName(caller)), { hits: 1, at, until: at + windowLeftMs })
    return 1
  }

  /** The caller is allowed again: what a host has not taken back of a denial by now, it leaves. */
  forgetOld(caller: string): void {
    const name = keptName(caller)
    const known = this.#byCaller.get(name)
    if (known !== undefined && performance.now() - known.at >= answeredMs) this.#byCaller.delete(name)
  }

  /** How many there are. */
  count(caller: string): number {
    return this.#find(caller)?.hits ?? 0
  }

  /** Takes one back; false: there is none. */
  takeBack(caller: string): boolean {
    const known = this.#find(caller)
    if (known === undefined || known.hits === 0) return false
    known.hits -= 1
    return true
  }

  forget(caller: string): void {
    this.#byCaller.delete(keptName(caller))
  }

  forgetAll(): void {
    this.#byCaller.clear()
  }

  #find(caller: string): Denied | undefined {
    const name = keptName(caller)
    const known = this.#byCaller.get(name)
    if (known === undefined || performance.now() < known.until) return known
    this.#byCaller.delete(name)
    return undefined
  }
}
