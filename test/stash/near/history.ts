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
      for (const place of placesOf(space, key)) writes.set(place, [...(writes.get(place) ?? []), write])
    }
  }
  for (const list of writes.values()) list.sort((a, b) => a.end - b.end)
  for (const [process, history] of histories.entries()) {
    const seen = new Map<string, { readonly start: number; readonly end: number; readonly written: Write }[]>()
    for (const [verb, space, key, start, end, value] of history) {
      if (verb !== 'read' || end === null) continue
      counts.reads += 1
      const place = `${space}/${key}`
      const written = value === null ? undefined : byId.get(value)
      const of = writes.get(place) ?? []
      const told = `process ${process} read ${value} of ${place} at ${start.toFixed(1)}`
      const overwritten = (before: number, ofOwn: boolean) => isOld(of, written, before, ofOwn ? process : undefined)
      if (overwritten(start - boundMs, false)) findings.tooStale.push(told)
      if (overwritten(start, true)) findings.ownWriteLost.push(told)
      if (written === undefined) continue
      const before = seen.get(place) ?? []
      if (before.some((one) => one.end < start && written.end < one.written.start)) findings.wentBack.push(told)
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

/** @param process whose writes count; undefined: everybody's */
function isOld(
  writes: readonly Write[],
  written: Write | undefined,
  before: number,
  process: number | undefined,
): boolean {
  for (const { end, start, id, process: writer } of writes) {
    if (end >= before) return false
    if (process !== undefined && writer !== process) continue
    if (written !== undefined) {
      if (start > written.end) return true
    } else if (id !== null && !writes.some((other) => other.id === null && other.end > start)) return true
  }
  return false
}

function placesOf(space: number | '*', key: string): string[] {
  const spaces = space === '*' ? [0, 1] : [space]
  const all = ['k1', 'k2', 'l1']
  const keys = key === '*' ? all : key === 'k*' ? ['k1', 'k2'] : [key]
  return spaces.flatMap((one) => keys.map((each) => `${one}/${each}`))
}
