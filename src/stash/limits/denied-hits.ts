import { keptName, ownCopy } from '../../entry/kept-name'
import { now } from '../../own-clock'

interface Uncounted {
  hits: number
  /** On the process's monotonic clock. */
  until: number
}

/** After the moment that a host was told it takes nothing back; but it reads another clock. */
const clocksApartMs = 50

/** Callers kept at most; the oldest goes first. */
const maxCallers = 10_000

/**
 * Hits that were answered and are not counted in the database, by caller: denials, and what was let in while the database was away. To a host they are hits
 * like others: it sees them in its totals, and may take them back, which must not take back another hit that was counted. It takes none back after the moment
 * it was told to come again (express-rate-limit: `resetTime`; hono-rate-limiter: at once), so they are forgotten then, or would be taken for what was counted.
 */
export class DeniedHits {
  readonly #byCaller = new Map<string, Uncounted>()

  get isEmpty(): boolean {
    return this.#byCaller.size === 0
  }

  /** Adds one, of which a host was told that it may come again then; answers how many there are. */
  add(caller: string, resetMs: number): number {
    const until = now() + resetMs + clocksApartMs
    const known = this.#find(caller)
    if (known !== undefined) {
      known.hits += 1
      known.until = Math.max(known.until, until)
      return known.hits
    }
    if (this.#byCaller.size >= maxCallers) this.#byCaller.delete(this.#byCaller.keys().next().value as string)
    this.#byCaller.set(ownCopy(keptName(caller)), { hits: 1, until })
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
    this.#byCaller.delete(keptName(caller))
  }

  forgetAll(): void {
    this.#byCaller.clear()
  }

  #find(caller: string): Uncounted | undefined {
    const name = keptName(caller)
    const known = this.#byCaller.get(name)
    if (known === undefined || now() < known.until) return known
    this.#byCaller.delete(name)
    return undefined
  }
}
