import { load, withOwnStash } from '../contestants/own-stash'
import { median } from '../measuring/measure'
import type { Settings } from '../measuring/settings'
import type { Verdict } from '../measuring/verdict'

/** `clear()` of a crowded namespace against one of ten entries, in turns, each on a namespace filled before. */
export async function clearing(settings: Settings): Promise<Verdict[]> {
  const entries = settings.isQuick ? 100_000 : 1_000_000
  return withOwnStash(settings, 'clearing', true, async ({ stash }) => {
    const times = { few: [] as number[], many: [] as number[] }
    await load(stash.namespace('many'), entries, 'x')
    for (let turn = 0; turn < 25; turn += 1) {
      await load(stash.namespace('few'), 10, 'x')
      for (const name of ['few', 'many'] as const) {
        const started = performance.now()
        await stash.namespace(name).clear()
        times[name].push(performance.now() - started)
      }
      // What was cleared still lies in the table: to clear it again is as much work as the first time.
    }
    const reached = median(times.many) / median(times.few)
    return [{ what: `clear() of ${entries} entries, over clear() of 10`, reached, bound: 3, is: 'at most' }]
  })
}
