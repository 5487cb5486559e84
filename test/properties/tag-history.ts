/** When something was asked, and when it had been answered: moments of this process, in one order. */
interface Span {
  readonly from: number
  to: number
}

interface Stored extends Span {
  readonly key: string
  readonly value: number
  readonly tags: readonly string[]
}

interface Removal extends Span {
  /** undefined: all keys. */
  readonly key: string | undefined
  /** undefined: whatever its tags. */
  readonly tags: readonly string[] | undefined
}

interface Read extends Span {
  readonly key: string
  readonly found: number | undefined
}

/** What was answered that must not be. */
export interface Removed {
  readonly reads: number
  /** Values that were deleted before the read began. */
  readonly deleted: readonly string[]
  /** Values that were stored before the read began, and that nothing removed. */
  readonly lost: readonly string[]
}

/** What several did at once, judged by the order in time of what did not overlap: whatever overlaps may have come in any order. */
export class History {
  #moment = 0
  #value = 0
  readonly #stored: Stored[] = []
  readonly #removals: Removal[] = []
  readonly #reads: Read[] = []

  async write(key: string, tags: readonly string[], ask: (value: number) => Promise<unknown>): Promise<void> {
    const stored = { key, tags, value: this.#next(), from: this.#now(), to: Number.POSITIVE_INFINITY }
    this.#stored.push(stored)
    await ask(stored.value)
    stored.to = this.#now()
  }

  /** What was not added was there. */
  async add(key: string, tags: readonly string[], ask: (value: number) => Promise<boolean>): Promise<void> {
    const stored = { key, tags, value: this.#next(), from: this.#now(), to: Number.POSITIVE_INFINITY }
    this.#stored.push(stored)
    if (await ask(stored.value)) stored.to = this.#now()
    else this.#stored.splice(this.#stored.indexOf(stored), 1)
  }

  async deleteByTag(tags: readonly string[], ask: () => Promise<unknown>): Promise<void> {
    const removal = { key: undefined, tags, from: this.#now(), to: Number.POSITIVE_INFINITY }
    this.#removals.push(removal)
    await ask()
    removal.to = this.#now()
  }

  async take(key: string, ask: () => Promise<number | undefined>): Promise<void> {
    const removal = { key, tags: undefined, from: this.#now(), to: Number.POSITIVE_INFINITY }
    const found = await ask()
    removal.to = this.#now()
    // Who found nothing removed nothing.
    if (found !== undefined) this.#removals.push(removal)
    this.#reads.push({ ...removal, key, found })
  }

  async read(key: string, ask: () => Promise<number | undefined>): Promise<void> {
    const from = this.#now()
    const found = await ask()
    this.#reads.push({ key, found, from, to: this.#now() })
  }

  judge(): Removed {
    const deleted = this.#reads.flatMap((read) => this.#deletedOf(read))
    const lost = this.#reads.flatMap((read) => this.#lostTo(read))
    return { reads: this.#reads.length, deleted, lost }
  }

  #deletedOf({ key, found, from }: Read): string[] {
    if (found === undefined) return []
    const stored = this.#stored.find(({ value }) => value === found) as Stored
    const isOver = (removal: Removal) => stored.to < removal.from && removal.to < from && concerns(removal, stored)
    const isReplaced = this.#stored.some((other) => other.key === key && stored.to < other.from && other.to < from)
    return isReplaced || this.#removals.some(isOver) ? [`${key}: ${found} at ${from}`] : []
  }

  /** Of what had been stored when the read began, the last one that nothing may have removed or replaced. */
  #lostTo({ key, found, from, to }: Read): string[] {
    if (found !== undefined) return []
    const isThere = (stored: Stored) =>
      stored.key === key &&
      stored.to < from &&
      !this.#removals.some((one) => one.to > stored.from && one.from < to && concerns(one, stored)) &&
      !this.#stored.some((other) => other !== stored && other.key === key && other.to > stored.from && other.from < to)
    return this.#stored.filter(isThere).map(({ value }) => `${key}: ${value} at ${from}`)
  }

  #next(): number {
    this.#value += 1
    return this.#value
  }

  #now(): number {
    this.#moment += 1
    return this.#moment
  }
}

function concerns({ key, tags }: Removal, stored: Stored): boolean {
  return (
    (key === undefined || key === stored.key) && (tags === undefined || stored.tags.some((tag) => tags.includes(tag)))
  )
}
