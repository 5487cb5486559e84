import { type Figure, measure, medianOf } from './measure'
import type { Settings } from './settings'

/** Each operation's medians, measured in turns within one run: what the machine does meanwhile falls on all alike. */
export async function takeTurns<Name extends string>(
  operations: Readonly<Record<Name, () => Promise<unknown>>>,
  callers: number,
  { turns, turnMs }: Settings,
): Promise<(name: Name) => Figure> {
  const taken = new Map<string, Figure[]>()
  for (let turn = -1; turn < turns; turn += 1) {
    for (const [name, operation] of Object.entries<() => Promise<unknown>>(operations)) {
      const figure = await measure(operation, callers, turnMs)
      // The first turn warms up.
      if (turn >= 0) taken.set(name, [...(taken.get(name) ?? []), figure])
    }
  }
  return (name) => medianOf(taken.get(name) ?? [])
}
