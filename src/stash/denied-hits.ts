interface Denied {
  hits: number
  /** On the process's monotonic clock. */
  readonly until: number
}

/** Callers kept at most; the oldest goes first. */
const maxCallers = 10_000

/**
 * Hits that were denied, and so not counted in the database, by caller and window. To a host they are hits like others: it sees them in its totals, and may
 * take them back.
 */
export class DeniedHits {
  readonly #byCaller = new Map<string, Denied>()

  /** Adds one; answers how many there are. */
  add(caller: string, windowLeftMs: number): number {
    const known = this.#find(caller)
    if (known !== undefined) {
      known.hits += 1
      return known.hits
    }
    if (this.#byCaller.size >= maxCallers) this.#byCaller.delete(this.#byCaller.keys().next().value as string)
    this.#byCaller.set(caller, { hits: 1, until: performance.now() + windowLeftMs })
    return 1
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
    this.#byCaller.delete(caller)
  }

  forgetAll(): void {
    this.#byCaller.clear()
  }

  #find(caller: string): Denied | undefined {
    const known = this.#byCaller.get(caller)
    if (known === undefined || performance.now() < known.until) return known
    this.#byCaller.delete(caller)
    return undefined
  }
}
