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
  let group: Group | undefined
  for (let position = 0; position < places.length; position += 1) {
    const { namespace, key } = places[position] as Place
    if (group?.namespace !== namespace) group = groupOf(groups, namespace)
    group.keys.push(key)
    group.positions.push(position)
  }
  return groups
}

function groupOf(groups: Group[], namespace: string): Group {
  const known = groups.find((group) => group.namespace === namespace)
  if (known !== undefined) return known
  const group = { namespace, keys: [], positions: [] }
  groups.push(group)
  return group
}
