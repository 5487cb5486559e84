import type { Ordered } from './ordered'

/** Keys that one call reads, or writes, together. */
export class KeysTogether {
  /** Those for which somebody waits. */
  readonly held = new Set<string>()
  readonly #keys: readonly { readonly key: string }[]
  /** Made when it is first looked for a key, which is seldom. */
  #known: Set<string> | undefined

  constructor(
    keys: readonly { readonly key: string }[],
    readonly request: Ordered,
  ) {
    this.#keys = keys
  }

  get size(): number {
    return this.#keys.length
  }

  has(key: string): boolean {
    this.#known ??= new Set(this.#keys.map((one) => one.key))
    return this.#known.has(key)
  }

  hasAny(keys: readonly string[]): boolean {
    for (const key of keys) if (this.has(key)) return true
    return false
  }
}
