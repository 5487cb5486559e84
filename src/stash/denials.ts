import { InvalidArgumentError } from '../errors'

/** How much a limiter remembers of those it denied; false: nothing. */
export interface DenyCacheOptions {
  /** Callers remembered at most; the oldest goes first. Default: 10,000. */
  readonly maxKeys?: number | undefined
  /**
   * For how long a denial is answered from memory before the database is asked again, in milliseconds. So long a `reset` by another process
   * may go unnoticed. Default: 10,000.
   */
  readonly maxMs?: number | undefined
}

/** One caller who was denied. */
export interface Denial<Facts> {
  readonly facts: Facts
  /** What one hit weighed; lighter ones may still fit. */
  readonly cost: number
  /** On the process's monotonic clock, as `until`: a wall clock may be wrong. */
  readonly since: number
  readonly until: number
  /** Denied so often since. */
  count: number
}

/** Whoever was denied, for as long as that holds: an attacker who repeats himself costs no statement. */
export class Denials<Facts> {
  readonly #byId = new Map<string, Denial<Facts>>()
  readonly #maxKeys: number
  readonly #maxMs: number

  /** @throws {InvalidArgumentError} */
  constructor(options: DenyCacheOptions | false = {}) {
    if (options !== false && (typeof options !== 'object' || options === null)) {
      throw new InvalidArgumentError('denyCache', 'must be an object or false', 'Pass { maxKeys, maxMs }.')
    }
    this.#maxKeys = options === false ? 0 : natural('denyCache.maxKeys', options.maxKeys, 10_000)
    this.#maxMs = options === false ? 0 : natural('denyCache.maxMs', options.maxMs, 10_000)
  }

  /** The denial that answers a hit of that cost; counts it. */
  find(id: string, cost: number): Denial<Facts> | undefined {
    const denial = this.#byId.get(id)
    if (denial === undefined || cost < denial.cost) return undefined
    if (performance.now() >= denial.until) {
      this.#byId.delete(id)
      return undefined
    }
    denial.count += 1
    return denial
  }

  remember(id: string, cost: number, forMs: number, facts: Facts): void {
    if (this.#maxKeys === 0) return
    const since = performance.now()
    this.#byId.delete(id)
    if (this.#byId.size >= this.#maxKeys) this.#byId.delete(this.#byId.keys().next().value as string)
    this.#byId.set(id, { facts, cost, since, until: since + Math.min(forMs, this.#maxMs), count: 1 })
  }

  forget(id: string): void {
    this.#byId.delete(id)
  }

  forgetAll(): void {
    this.#byId.clear()
  }
}

function natural(field: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(field, 'must be a whole number, 0 or more', 'Leave it out for the default.')
}
