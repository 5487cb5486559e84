/** A read: where, from when until when, and what it was worked out from. */
export type Read = readonly [space: number, key: string, start: number, end: number, n: number]

/** A change that was acknowledged: where, when, what values are worked out from since, and by which verb it was told. */
export type Change = readonly [space: number, key: string, at: number, n: number, verb: string]

export interface History {
  readonly reads: readonly Read[]
  readonly changes: readonly Change[]
}

/**
 * Reads that answered what had been changed, and acknowledged, before they were asked.
 * @param boundsMs of each process: how old its reads may be; of what it changed itself they may not
 * @returns by the verb of the change that was missed, how many
 */
export function tooOld(histories: readonly History[], boundsMs: readonly number[]): Record<string, number> {
  const all = changesBy(histories.flatMap(({ changes }) => changes))
  const found: Record<string, number> = {}
  for (const [process, { reads, changes }] of histories.entries()) {
    // What it did past the cache it hears of like everybody else.
    const own = changesBy(changes.filter(([, , , , verb]) => verb !== 'delete_by_tag()'))
    for (const [space, key, start, , n] of reads) {
      const place = `${space}/${key}`
      const foreign = last(all.get(place), start - (boundsMs[process] as number))
      const missed = [foreign, last(own.get(place), start)].find((change) => change !== undefined && change[3] > n)
      if (missed !== undefined) found[missed[4]] = (found[missed[4]] ?? 0) + 1
    }
  }
  return found
}

/** In the order of time, which is that of what was changed: each key is changed by one caller. */
function changesBy(changes: readonly Change[]): Map<string, Change[]> {
  const by = new Map<string, Change[]>()
  for (const change of [...changes].sort((a, b) => a[2] - b[2])) {
    const place = `${change[0]}/${change[1]}`
    const of = by.get(place)
    if (of === undefined) by.set(place, [change])
    else of.push(change)
  }
  return by
}

/** The last that was acknowledged before. */
function last(changes: readonly Change[] = [], before: number): Change | undefined {
  let [low, high] = [0, changes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((changes[middle] as Change)[2] < before) low = middle + 1
    else high = middle
  }
  return changes[low - 1]
}
