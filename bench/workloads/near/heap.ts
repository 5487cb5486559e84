import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type OwnStash, withOwnStash } from '../../contestants/own-stash'
import { heapBytes } from '../../measuring/heap'
import type { Settings } from '../../measuring/settings'
import type { Verdict } from '../../measuring/verdict'

const maxBytes = 32 * 2 ** 20
const maxEntries = 1_000_000
const writers = 64
const keys = 50_000
/** Between looks at the heap. */
const samples = 20
const letters = Buffer.from(randomBytes(2 ** 20).toString('base64'))

/** The most that a tier in memory held of the heap while values of 100 bytes to 1 MiB were set, each of which it keeps. */
export async function nearHeap(settings: Settings): Promise<Verdict[]> {
  const sets = settings.isQuick ? 50_000 : 1_000_000
  const work = async ({ stash }: OwnStash): Promise<Verdict[]> => {
    const cache = stash.namespace('heap', { near: true })
    await cache.set('warm', 'up')
    while (stash.near.stats().entries === 0) {
      await cache.get('warm')
      await setTimeout(50)
    }
    const before = heapBytes()
    let most = 0
    for (let sample = 0; sample < samples; sample += 1) {
      await write(cache, sets / samples)
      most = Math.max(most, heapBytes() - before)
    }
    const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
    const what =
      `heap held over ${sets} sets with near (${mebibytes(most)} MiB; it says ${mebibytes(stash.near.stats().bytes)}), ` +
      `over 1.3 times maxBytes (${mebibytes(maxBytes)} MiB) and 10 MB`
    return [{ what, reached: most / (1.3 * maxBytes + 10e6), bound: 1, is: 'at most' }]
  }
  return withOwnStash(settings, 'near_heap', true, work, { near: { maxBytes, maxEntries } })
}

async function write(cache: ReturnType<OwnStash['stash']['namespace']>, sets: number): Promise<void> {
  let left = sets
  const writer = async () => {
    while (left > 0) {
      left -= 1
      await cache.set(`key:${Math.floor(Math.random() * keys)}`, text(someSize()))
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
}

/** Mostly small; one of 1,000 is 64 KiB, one of 10,000 is 1 MiB: together as much as the small ones. */
function someSize(): number {
  const chance = Math.random()
  if (chance < 0.000_1) return 2 ** 20
  if (chance < 0.001_1) return 2 ** 16
  return 100 + Math.floor(Math.random() * 900)
}

/** Text of its own: a part of a longer one would keep that. */
function text(bytes: number): string {
  return letters.toString('latin1', letters.length - bytes)
}
