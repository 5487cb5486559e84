import type { Ordered } from './ordered'

/** Keys that are read by one call. */
export class ReadKeys {
  /** Those for which a write waits. */
  readonly held = new Set<string>()
  readonly #keys: readonly string[]
  /** Made when it is first looked for a key, which is seldom. */
  #known: Set<string> | undefined

  constructor(
    keys: readonly string[],
    readonly request: Ordered,
  ) {
    this.#keys = keys
  }

  has(key: string): boolean {
    this.#known ??= new Set(this.#keys)
    return this.#known.has(key)
  }
}
