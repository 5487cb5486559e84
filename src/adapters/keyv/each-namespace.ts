/** Where a key of a call is stored. */
export interface Place {
  readonly namespace: string
  readonly key: string
}

/** The keys of a call that belong to one namespace, and where they stand in the call. */
export interface Group {
  readonly namespace: string
  readonly keys: string[]
  readonly positions: number[]
}

/** Answers in the order of the places; `run` is called once for each namespace among them, which is one unless Keyv share a store. */
export async function eachNamespace<T>(places: readonly Place[], run: (group: Group) => Promise<T[]>): Promise<T[]> {
  const groups = groupsOf(places)
  const [first] = groups
  if (first !== undefined && groups.length === 1) return run(first)
  const answers = new Array<T>(places.length)
  await Promise.all(
    groups.map(async (group) => {
      const found = await run(group)
      for (const [at, position] of group.positions.entries()) answers[position] = found[at] as T
    }),
  )
  return answers
}

function groupsOf(places: readonly Place[]): Group[] {
  const groups: Group[] = []
  for (const [position, { namespace, key }] of places.entries()) {
    let group = groups.find((known) => known.namespace === namespace)
    if (group === undefined) {
      group = { namespace, keys: [], positions: [] }
      groups.push(group)
    }
    group.keys.push(key)
    group.positions.push(position)
  }
  return groups
}
