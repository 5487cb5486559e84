/** What a namespace does, told without a database: one map, one version counter, and a clock that only `expire` moves. */
interface ModelEntry {
  readonly value: unknown
  readonly version: number
  /** On the model's clock; undefined for ever. */
  readonly expiresAt: number | undefined
  readonly tags: readonly string[]
}

/** A whole store in memory, for tests to hold the real one against. */
export class Model {
  readonly #spaces = new Map<string, Map<string, ModelEntry>>()
  #now = 0
  #version = 0

  get(space: string, key: string): unknown {
    return this.#live(space, key)?.value
  }

  has(space: string, key: string): boolean {
    return this.#live(space, key) !== undefined
  }

  /** The model's own version; versions are compared by order, never by value. */
  version(space: string, key: string): number | undefined {
    return this.#live(space, key)?.version
  }

  set(space: string, key: string, value: unknown, isShort: boolean, tags: readonly string[] = []): void {
    this.#put(space, key, value, isShort, tags)
  }

  add(space: string, key: string, value: unknown, isShort: boolean, tags: readonly string[] = []): boolean {
    if (this.has(space, key)) return false
    this.#put(space, key, value, isShort, tags)
    return true
  }

  compareAndSet(
    space: string,
    key: string,
    version: number | undefined,
    value: unknown,
    tags: readonly string[] = [],
  ): boolean {
    const entry = this.#live(space, key)
    if (entry === undefined || entry.version !== version) return false
    this.#put(space, key, value, false, tags)
    return true
  }

  /** undefined: refused. */
  increment(space: string, key: string, by: number): number | undefined {
    const entry = this.#live(space, key)
    const before = entry === undefined ? 0 : entry.value
    if (!Number.isSafeInteger(before)) return undefined
    const sum = (before as number) + by
    if (!Number.isSafeInteger(sum)) return undefined
    this.#version += 1
    const { expiresAt, tags } = entry ?? { expiresAt: undefined, tags: [] }
    this.#space(space).set(key, { value: sum, version: this.#version, expiresAt, tags })
    return sum
  }

  touch(space: string, key: string, isShort: boolean): boolean {
    const entry = this.#live(space, key)
    if (entry === undefined) return false
    this.#space(space).set(key, { ...entry, expiresAt: isShort ? this.#now + 1 : undefined })
    return true
  }

  delete(space: string, key: string): boolean {
    const was = this.has(space, key)
    this.#space(space).delete(key)
    return was
  }

  take(space: string, key: string): unknown {
    const value = this.get(space, key)
    this.#space(space).delete(key)
    return value
  }

  deleteByPrefix(space: string, prefix: string): number {
    const doomed = this.keys(space).filter((key) => key.startsWith(prefix))
    for (const key of doomed) this.#space(space).delete(key)
    return doomed.length
  }

  /** A tag of the whole tenant is called `tenant:` and its name. */
  deleteByTag(space: string, tags: readonly string[]): void {
    for (const [key, entry] of [...this.#space(space)])
      if (entry.tags.some((tag) => tags.includes(tag))) this.#space(space).delete(key)
  }

  deleteTenantTag(tenant: string, tags: readonly string[]): void {
    const wide = tags.map((tag) => `tenant:${tag}`)
    for (const space of [...this.#spaces.keys()]) if (space.startsWith(`${tenant}/`)) this.deleteByTag(space, wide)
  }

  clear(space: string): void {
    this.#spaces.delete(space)
  }

  /** A space is `tenant/namespace`. */
  clearTenant(tenant: string): void {
    for (const space of [...this.#spaces.keys()]) if (space.startsWith(`${tenant}/`)) this.#spaces.delete(space)
  }

  /** Time passes: what has a short life is over. */
  expire(): void {
    this.#now += 1
  }

  keys(space: string): string[] {
    return [...this.#space(space).keys()].filter((key) => this.has(space, key)).sort()
  }

  #put(space: string, key: string, value: unknown, isShort: boolean, tags: readonly string[]): void {
    this.#version += 1
    const expiresAt = isShort ? this.#now + 1 : undefined
    this.#space(space).set(key, { value, version: this.#version, expiresAt, tags })
  }

  #live(space: string, key: string): ModelEntry | undefined {
    const entry = this.#space(space).get(key)
    return entry?.expiresAt !== undefined && entry.expiresAt <= this.#now ? undefined : entry
  }

  #space(space: string): Map<string, ModelEntry> {
    const entries = this.#spaces.get(space) ?? new Map<string, ModelEntry>()
    this.#spaces.set(space, entries)
    return entries
  }
}
