/** What a process says of one call: its end is null where it failed, and it may still have been done, or be done later. */
export type Told = readonly [
  verb: string,
  space: number | '*',
  key: string,
  start: number,
  end: number | null,
  value: string | null,
]

export interface Findings {
  readonly reads: number
  readonly writes: number
  readonly tooStale: string[]
  readonly ownWriteLost: string[]
  readonly wentBack: string[]
}

interface Write {
  readonly process: number
  readonly start: number
  /** Infinity: nobody knows. */
  readonly end: number
  /** null: it deletes. */
  readonly id: string | null
}

/**
 * Whether each read may have been answered so. A value was written between the call of its write and the answer to that; what was called after that answer, and answered itself, came later. So a
 * value is too old where another write of the key lies wholly between, and was answered longer ago than the bound: of any process. Of the reader's own, without a bound.
 */
export function judge(histories: readonly (readonly Told[])[], boundMs: number): Findings {
  const findings: Findings = { reads: 0, writes: 0, tooStale: [], ownWriteLost: [], wentBack: [] }
  const counts = { reads: 0, writes: 0 }
  const writes = new Map<string, Write[]>()
  const byId = new Map<string, Write>()
  for (const [process, history] of histories.entries()) {
    for (const [verb, space, key, start, end] of history) {
      if (verb === 'read') continue
      counts.writes += 1
      const id = verb.startsWith('set ') ? verb.slice(4) : null
      const write = { process, start, end: end ?? Number.POSITIVE_INFINITY, id }
      if (id !== null) byId.set(id, write)
      for (const place of placesOf(space, key)) listIn(writes, place).push(write)
    }
  }
  const timelines = new Map([...writes].map(([place, list]) => [place, new Timelines(list)]))
  const none = new Timelines([])
  for (const [process, history] of histories.entries()) {
    const seen = new Map<string, { readonly start: number; readonly end: number; readonly written: Write }[]>()
    for (const [verb, space, key, start, end, value] of history) {
      if (verb !== 'read' || end === null) continue
      counts.reads += 1
      const place = `${space}/${key}`
      const written = value === null ? undefined : byId.get(value)
      const of = timelines.get(place) ?? none
      const told = () => `process ${process} read ${value} of ${place} at ${start.toFixed(1)}`
      if (of.isOld(written, start - boundMs)) findings.tooStale.push(told())
      if (of.isOld(written, start, process)) findings.ownWriteLost.push(told())
      if (written === undefined) continue
      const before = seen.get(place) ?? []
      if (before.some((one) => one.end < start && written.end < one.written.start)) findings.wentBack.push(told())
      seen.set(place, [
        ...before.filter((one) => one.end > start - 50).slice(-200),
        { start, end, written },
        ...newest(before),
      ])
    }
  }
  return { ...findings, ...counts }
}

/** Of what was seen, that which was written last. */
function newest<Seen extends { readonly written: Write }>(seen: readonly Seen[]): Seen[] {
  return seen.length === 0 ? [] : [seen.reduce((a, b) => (a.written.start > b.written.start ? a : b))]
}

function listIn<T>(lists: Map<string, T[]>, name: string): T[] {
  const list = lists.get(name) ?? []
  lists.set(name, list)
  return list
}

/** When the last of some writes was called, of those that were answered before a moment: found by halving, for a million reads ask. */
class Timeline {
  readonly #ends: number[] = []
  /** Of those up to each. */
  readonly #lastStarts: number[] = []

  /** @param writes by their ends */
  constructor(writes: readonly Write[]) {
    let last = Number.NEGATIVE_INFINITY
    for (const { start, end } of writes) {
      last = Math.max(last, start)
      this.#ends.push(end)
      this.#lastStarts.push(last)
    }
  }

  lastStart(before: number): number {
    let [from, to] = [0, this.#ends.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#ends[middle] as number) < before) from = middle + 1
      else to = middle
    }
    return this.#lastStarts[from - 1] ?? Number.NEGATIVE_INFINITY
  }
}

/** The writes of one place: everybody's, and each process's; and those of them that store. */
class Timelines {
  readonly #all: Timeline
  readonly #stored: Timeline
  readonly #allOf = new Map<number, Timeline>()
  readonly #storedOf = new Map<number, Timeline>()
  readonly #lastDeleted: number

  constructor(writes: readonly Write[]) {
    const byEnd = [...writes].sort((a, b) => a.end - b.end)
    const stored = byEnd.filter(({ id }) => id !== null)
    this.#lastDeleted = byEnd.reduce(
      (last, { id, end }) => (id === null ? Math.max(last, end) : last),
      Number.NEGATIVE_INFINITY,
    )
    this.#all = new Timeline(byEnd)
    this.#stored = new Timeline(stored)
    for (const process of new Set(writes.map((write) => write.process))) {
      const isOf = (write: Write) => write.process === process
      this.#allOf.set(process, new Timeline(byEnd.filter(isOf)))
      this.#storedOf.set(process, new Timeline(stored.filter(isOf)))
    }
  }

  /**
   * Whether another write came after that one, and was answered before the moment. Where nothing was found: one that stored, after which nobody deleted.
   * @param process whose writes count; undefined: everybody's
   */
  isOld(written: Write | undefined, before: number, process?: number): boolean {
    const isEverybody = process === undefined
    if (written !== undefined) {
      const all = isEverybody ? this.#all : this.#allOf.get(process)
      return all !== undefined && all.lastStart(before) > written.end
    }
    const stored = isEverybody ? this.#stored : this.#storedOf.get(process)
    const last = stored?.lastStart(before) ?? Number.NEGATIVE_INFINITY
    return last > Number.NEGATIVE_INFINITY && last >= this.#lastDeleted
  }
}

function placesOf(space: number | '*', key: string): string[] {
  const spaces = space === '*' ? [0, 1] : [space]
  const all = ['k1', 'k2', 'l1']
  const keys = key === '*' ? all : key === 'k*' ? ['k1', 'k2'] : [key]
  return spaces.flatMap((one) => keys.map((each) => `${one}/${each}`))
}
