import { Spans } from './spans'

/** What a process says of one call. A verb that turned out to do nothing is `nothing`. */
export interface Told {
  readonly verb: 'read' | 'set' | 'delete' | 'nothing'
  /** In which order its process asked. */
  readonly seq: number
  readonly start: number
  /** null: nobody knows. */
  readonly end: number | null
  /** Of reads and sets. */
  readonly space?: number
  readonly key?: string
  /** Of reads: what was answered, the name of a set; null: nothing. */
  readonly value?: string | null
  /** Of sets: its name. */
  readonly id?: string
  /** Of sets, under which tags; of deletions, by which. */
  readonly tags?: readonly string[]
  /** Of deletions: the keys, each with its namespace. */
  readonly places?: readonly (readonly [space: number, key: string])[]
  /** Of deletions: whether its process need not wait for it. */
  readonly isInOrder?: boolean
}

export interface Findings {
  readonly reads: number
  readonly sets: number
  readonly deletions: number
  /** Answered although it had been deleted, or replaced, by then. */
  readonly tooOld: string[]
  /** Of those, by a deletion of the process that read. */
  readonly outOfOrder: string[]
  /** Not answered although nobody had deleted it. */
  readonly gone: string[]
}

interface Done extends Told {
  readonly process: number
  readonly until: number
}

/**
 * Whether each read may have been answered so. What was stored between the call of its set and the answer to that is deleted by whatever lies wholly between that answer and the call of the
 * read; and in its process, by whatever was asked after the set and before the read, awaited or not.
 *
 * @param boundsMs of each process: how old its reads may be
 */
export function judge(histories: readonly (readonly Told[])[], boundsMs: readonly number[]): Findings {
  const all = histories.flatMap((history, process) =>
    history.map((one): Done => ({ ...one, process, until: one.end ?? Number.POSITIVE_INFINITY })),
  )
  const sets = all.filter(({ verb }) => verb === 'set')
  const deletions = all.filter(({ verb }) => verb === 'delete')
  const reads = all.filter(({ verb, end }) => verb === 'read' && end !== null)
  const byId = new Map(sets.map((set) => [set.id, set]))
  const setsOf = spansBy(sets, (set) => [placeOf(set)])
  const removalsOf = spansBy(deletions, whatItRemoves)
  const ownOf = lastsBy(deletions.filter(({ isInOrder }) => isInOrder))
  const found = { tooOld: [] as string[], outOfOrder: [] as string[], gone: [] as string[] }
  for (const read of reads) {
    const place = placeOf(read)
    const told = `process ${read.process} read ${read.value} of ${place} at ${read.start.toFixed(1)}`
    const before = read.start - (boundsMs[read.process] as number)
    const written = byId.get(read.value ?? undefined)
    const last = written ?? lastOver(setsOf(place), before)
    if (last === undefined) continue
    const isTouched = (of: Done) => namesOf(of).some((name) => removalsOf(name).touch(last.start, read.until))
    if (written === undefined) {
      const candidates = [last, ...setsOf(place).touching(last.start, read.until)]
      if (!candidates.some(isTouched)) found.gone.push(told)
      continue
    }
    const removers = [...namesOf(written).map((name) => removalsOf(name)), setsOf(place)]
    const remover = removers.map((spans) => spans.between(written.until, before)).find((one) => one !== undefined)
    if (remover !== undefined) found.tooOld.push(`${told}, past ${JSON.stringify(remover)}`)
    const own = namesOf(written).map((name) => ownOf(`${read.process} ${name}`, read.seq))
    if (own.some((one) => one !== undefined && isAfter(one, written))) found.outOfOrder.push(told)
  }
  return { reads: reads.length, sets: sets.length, deletions: deletions.length, ...found }
}

/** What a set is removed by. */
function namesOf(set: Done): string[] {
  return [placeOf(set), ...(set.tags ?? []).map((tag) => `tag ${tag}`)]
}

function whatItRemoves({ tags = [], places = [] }: Done): string[] {
  return [...tags.map((tag) => `tag ${tag}`), ...places.map(([space, key]) => placeOf({ space, key }))]
}

/** Whether it was asked for after what was written. */
function isAfter(one: Done, written: Done): boolean {
  return written.process === one.process ? one.seq > written.seq : one.start > written.until
}

/** Of those that were over before, the one that began last. */
function lastOver(spans: Spans<Done>, before: number): Done | undefined {
  return spans.touching(Number.NEGATIVE_INFINITY, before).find(({ until }) => until < before)
}

function spansBy(all: readonly Done[], names: (one: Done) => readonly string[]): (name: string) => Spans<Done> {
  const groups = groupedBy(all, names)
  const spans = new Map([...groups].map(([name, group]) => [name, new Spans(group)]))
  const none = new Spans<Done>([])
  return (name) => spans.get(name) ?? none
}

/** Of each process and what it removes, the last that it asked for before. */
function lastsBy(all: readonly Done[]): (name: string, seq: number) => Done | undefined {
  const groups = groupedBy(all, (one) => whatItRemoves(one).map((name) => `${one.process} ${name}`))
  return (name, seq) => groups.get(name)?.findLast((one) => one.seq < seq)
}

function placeOf({ space, key }: Pick<Told, 'space' | 'key'>): string {
  return `${space}/${key}`
}

function groupedBy(all: readonly Done[], namesOf: (one: Done) => readonly string[]): Map<string, Done[]> {
  const groups = new Map<string, Done[]>()
  for (const one of all) {
    for (const name of namesOf(one)) {
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [one])
      else group.push(one)
    }
  }
  return groups
}
