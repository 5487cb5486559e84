const depths = ['shallow', 'deep'] as const

/**
 * How often the tests repeat themselves. `PGSTASH_DEPTH=deep`, as CI has it, hunts for what only shows once in many rounds; else each case runs, and its
 * repetitions are few.
 */
const depth = depthOf(process.env.PGSTASH_DEPTH ?? 'shallow')

export const isDeep = depth === 'deep'

/** How many rounds of the same: `rounds({ shallow: 12, deep: 200 })`. */
export function rounds(of: Readonly<Record<(typeof depths)[number], number>>): number {
  return of[depth]
}

/** Several that show the same: all of them, or the first. */
export function oneOf<T>(several: readonly T[]): readonly T[] {
  return isDeep ? several : several.slice(0, 1)
}

/** A wrong word would be taken for shallow, and nobody would see it. */
function depthOf(word: string): (typeof depths)[number] {
  const found = depths.find((one) => one === word)
  if (found === undefined) throw new Error(`PGSTASH_DEPTH is ${depths.join(' or ')}, not ${word}`)
  return found
}
