import { setTimeout } from 'node:timers/promises'
import { withNearStashes } from '../../contestants/near-stashes'
import { CostMeter } from '../../measuring/cost'
import type { Settings } from '../../measuring/settings'
import type { Verdict } from '../../measuring/verdict'

/** What a tier in memory asks of the server while nobody asks it anything, and while it is hit now and then. */
export async function nearIdle(settings: Settings): Promise<Verdict[]> {
  const seconds = settings.isQuick ? 3 : 10
  const meter = await CostMeter.open(settings)
  const costOf = async (work: () => Promise<unknown>) => {
    const stop = await meter.start()
    for (const until = performance.now() + seconds * 1_000; performance.now() < until; ) {
      await work()
      await setTimeout(20)
    }
    return stop()
  }
  const idle = async () => {}
  return withNearStashes(settings, async ({ near, plain }) => {
    await plain.namespace('idle').set('key', 'value')
    const without = await costOf(idle)
    const cache = near.namespace('idle', { near: true })
    const hit = () => cache.get('key')
    await cache.set('key', 'value')
    while (near.near.stats().entries === 0) {
      await hit()
      await setTimeout(50)
    }
    const polling = await costOf(hit)
    const resting = await costOf(idle)
    await meter.close()
    const atMost = (what: string, reached: number, bound: number): Verdict => ({ what, reached, bound, is: 'at most' })
    const polls = polling.roundTrips
    return [
      atMost('without near, idle: writes to the server a second', without.roundTrips / seconds, 0),
      atMost('near, idle: polls a second', resting.roundTrips / seconds, 4),
      atMost('near, 50 hits a second: polls a second', polls / seconds, 4),
      atMost(`near, 50 hits a second: server CPU of a poll in us`, polling.serverUs / polls, 300),
      {
        what: 'near, 50 hits a second: Node CPU in us a second',
        reached: polling.nodeUs / seconds,
        bound: 0,
        is: null,
      },
    ]
  })
}
