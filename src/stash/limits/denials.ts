import { keptName, ownCopy } from '../../entry/kept-name'
import { assertKnown } from '../../entry/known-options'
import { InvalidArgumentError } from '../../errors'
import { now } from '../../own-clock'

/** How much a limiter remembers of those it denied; false: nothing. */
export interface DenyCacheOptions {
  /** Callers remembered at most, each in about a kilobyte, however long its key is; the oldest goes first. Default: 10,000. */
  readonly maxKeys?: number | undefined
  /**
   * For how long a denial is answered from memory before the database is asked again, in milliseconds. For that long a `reset`, `clear` or `reward` by another
   * limiter, of this process or another, may go unnoticed. Default: 10,000.
   */
  readonly maxMs?: number | undefined
}

const denyCacheNames: ReadonlySet<string> = new Set(['maxKeys', 'maxMs'])

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

/**
 * Whoever was denied, for as long as that holds: an attacker who repeats himself costs no statement. A denial is of all the counters that a call is
 * counted on; a change to one of them ends it.
 */
export class Denials<Facts> {
  readonly #denials = new Map<string, Denial<Facts>>()
  /** By counter: when something was taken back or forgotten. */
  readonly #changes = new Map<string, number>()
  #clearedAt = Number.NEGATIVE_INFINITY
  readonly #maxKeys: number
  readonly #maxMs: number

  /** @throws {InvalidArgumentError} */
  constructor(options: DenyCacheOptions | false = {}) {
    if (options !== false) assertKnown('denyCache', options, denyCacheNames)
    this.#maxKeys = options === false ? 0 : natural('denyCache.maxKeys', options.maxKeys, 10_000)
    this.#maxMs = options === false ? 0 : natural('denyCache.maxMs', options.maxMs, 10_000)
  }

  /** The denial that answers a hit of that cost; counts it. */
  find(counters: readonly string[], cost: number): Denial<Facts> | undefined {
    const id = idOf(counters)
    const denial = this.#denials.get(id)
    if (denial === undefined || cost < denial.cost) return undefined
    if (now() >= denial.until || this.#haveChanged(counters, denial.since)) {
      this.#denials.delete(id)
      return undefined
    }
    denial.count += 1
    return denial
  }

  /** @param since before the database was asked: what changed meanwhile ends the denial, and `forMs` counts from there, however long it took to answer */
  remember(counters: readonly string[], cost: number, since: number, forMs: number, facts: Facts): void {
    if (this.#maxKeys === 0 || since <= this.#clearedAt) return
    const until = since + Math.min(forMs, this.#maxMs)
    keep(this.#denials, idOf(counters), { facts, cost, since, until, count: 1 }, this.#maxKeys)
  }

  /** Something of these counters was taken back or forgotten. */
  forget(counters: readonly string[]): void {
    // Also where none is remembered: a denial may be on its way.
    if (this.#maxKeys === 0) return
    for (const counter of counters) keep(this.#changes, keptName(counter), now(), this.#maxKeys)
  }

  forgetAll(): void {
    this.#denials.clear()
    this.#clearedAt = now()
  }

  #haveChanged(counters: readonly string[], since: number): boolean {
    return this.#changes.size > 0 && counters.some((counter) => (this.#changes.get(keptName(counter)) ?? -1) >= since)
  }
}

/** No name or key holds a NUL. */
function idOf(counters: readonly string[]): string {
  return keptName(counters.length === 1 ? (counters[0] as string) : counters.join('\0\0'))
}

/** Puts it at the end; the oldest goes where there are too many. */
function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key)
  if (map.size >= most) map.delete(map.keys().next().value as string)
  map.set(ownCopy(key), value)
}

function natural(field: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(field, 'must be a whole number, 0 or more', 'Leave it out for the default.')
}
