import { ConnectionError, type Outcome, PgStashError } from '../../src/errors'

/** What became of a write, as its caller was told. */
export type Fate = 'done' | 'not done' | 'lost' | 'late'

/**
 * `lost`: done by now, or never (its connection is gone). `late`: nobody waits for it, and it may still be done at any time.
 * A circuit that is open says of itself that nothing was sent.
 */
export function fateOf(error: unknown): Fate {
  const outcome = (error as { outcome?: Outcome }).outcome
  if (outcome !== 'unknown') return 'not done'
  return error instanceof ConnectionError ? 'lost' : 'late'
}

/** How an error shows in a report: its code and facts. */
export function labelOf(error: unknown): string {
  if (!(error instanceof PgStashError)) return `untyped ${String(error)}`
  const { outcome, sqlState } = error as { outcome?: Outcome; sqlState?: string }
  const code = error.code.replace('ERR_PGSTASH_', '')
  return [code, outcome, sqlState].filter((fact) => fact !== undefined).join(' ')
}

/** A value that says where it belongs. */
export interface Marked {
  readonly key: string
  readonly n: number
}

/** What may be stored where one caller alone writes: what was acknowledged last, or a write after it whose fate is unknown. */
export class OwnedValue {
  #acknowledged: number | undefined
  #lost = new Set<number>()
  readonly #late = new Set<number>()
  #next = 1

  constructor(readonly key: string) {}

  next(): Marked {
    return { key: this.key, n: this.#next++ }
  }

  note({ n }: Marked, fate: Fate): void {
    if (fate === 'late') this.#late.add(n)
    if (fate === 'lost') this.#lost.add(n)
    if (fate !== 'done') return
    this.#acknowledged = n
    this.#lost = new Set()
  }

  /** @param travelling writes whose answers have not been looked at */
  allows(value: unknown, travelling: readonly Marked[] = []): boolean {
    if (value === undefined) return this.#acknowledged === undefined
    const { key, n } = value as Marked
    if (key !== this.key) return false
    return n === this.#acknowledged || this.#lost.has(n) || this.#late.has(n) || travelling.some((one) => one.n === n)
  }

  toString(): string {
    return `${this.key}: ${this.#acknowledged}, lost ${[...this.#lost]}, late ${[...this.#late]}`
  }
}

/** How often something was counted by all callers together: exactly what was acknowledged, and any of what is unknown. */
export class Tally {
  done = 0
  unknown = 0
  /** Answers of which each may be given once. */
  readonly answers = new Set<number>()

  constructor(readonly key: string) {}

  note(fate: Fate): void {
    if (fate === 'done') this.done += 1
    else if (fate !== 'not done') this.unknown += 1
  }

  allows(count: number): boolean {
    return count >= this.done && this.allowsAtMost(count)
  }

  /** Where what was counted may have been forgotten. */
  allowsAtMost(count: number): boolean {
    return count <= this.done + this.unknown
  }

  toString(): string {
    return `${this.key}: ${this.done} done, ${this.unknown} unknown`
  }
}
