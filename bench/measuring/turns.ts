import { CostMeter } from './cost'
import { type Figure, measure, ofOneCall, type Spread, spreadOf } from './measure'
import type { Settings } from './settings'

/**
 * Each operation's medians, measured in turns within one run: what the machine does meanwhile falls on all alike.
 * @param callsEach how many calls an operation is: the figures are of one
 */
export async function takeTurns<Name extends string>(
  operations: Readonly<Record<Name, () => Promise<unknown>>>,
  callers: number,
  settings: Settings,
  callsEach = 1,
): Promise<(name: Name) => Spread> {
  const { turns, turnMs } = settings
  const named = Object.entries<() => Promise<unknown>>(operations)
  const taken = new Map<string, Figure[]>(named.map(([name]) => [name, []]))
  const meter = await CostMeter.open(settings)
  // The first turn warms up.
  for (const [, operation] of named) await measure(operation, callers, turnMs / 2)
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [name, operation] of named)
      taken.get(name)?.push(ofOneCall(await measure(operation, callers, turnMs, meter), callsEach))
  }
  await meter.close()
  return (name) => spreadOf(taken.get(name) ?? [])
}
