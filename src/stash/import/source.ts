/** An entry as its source holds it. */
export interface SourceEntry {
  readonly key: string | Uint8Array
  readonly value: string | Uint8Array
  /** Milliseconds left when the page was read; null for no expiry. */
  readonly ttl: number | null
}

export interface SourcePage {
  readonly entries: readonly SourceEntry[]
  /** Why others were not read, one reason for each. */
  readonly skipped: readonly string[]
  /** On `performance.now()`: what is left of a ttl counts from here. */
  readonly readAt: number
  /** Where the next page begins; undefined on the last. */
  readonly next: string | undefined
}

/** Where an import reads. */
export interface ImportSource {
  /** The source without its credentials: for people, and to tell one import from another. */
  readonly name: string

  /** What only those know who may read it: the address, with its password. */
  readonly secret: string

  /** What people should know of it: a sentence each. */
  readonly notes: readonly string[]

  /** How long cursors hold: as long as this stays the same. undefined: nobody can tell. */
  epoch(): Promise<string | undefined>

  /** How many entries there are, roughly; undefined: nobody can tell cheaply. */
  size(): Promise<number | undefined>

  /** All that is there from beginning to end, at least once, in pages. */
  pages(from: string | undefined): AsyncGenerator<SourcePage, void>

  close(): Promise<void>
}

/** Reads the next page while the last one is being written. */
export async function* readAhead(pages: AsyncGenerator<SourcePage, void>): AsyncGenerator<SourcePage, void> {
  let next = pages.next()
  for (;;) {
    const { done, value } = await next
    if (done) return
    next = pages.next()
    // It is told when its turn comes; nobody may be left to hear it.
    next.catch(() => {})
    yield value
  }
}
