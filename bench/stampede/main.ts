import { setTimeout } from 'node:timers/promises'
import type { Said, Told } from './messages'
import { stores } from './stores'

const told = JSON.parse(process.argv[2] as string) as Told
const cache = await stores[told.name](told)
const keys = Array.from({ length: told.keys }, (_, at) => `key-${at}`)

function textOf(key: string): string {
  return `${key} ${'x'.repeat(300)}`
}

async function load(key: string): Promise<string> {
  say({ is: 'loading', key, at: Number(process.hrtime.bigint()) / 1e6 })
  await setTimeout(told.loadMs)
  return textOf(key)
}

/** Each caller asks for one key after the other, as fast as he is answered; all begin with the same one. */
async function stampede(): Promise<void> {
  const started = performance.now()
  let wrong = 0
  const caller = async () => {
    for (const key of keys) {
      const answer = await cache.getOrSet(key, () => load(key)).catch(() => undefined)
      if (answer !== textOf(key)) wrong += 1
    }
  }
  await Promise.all(Array.from({ length: told.callers }, caller))
  say({ is: 'answered', wrong, tookMs: performance.now() - started })
}

process.on('message', (what) => void (what === 'go' ? stampede() : cache.close().then(() => process.disconnect())))
// Also where the benchmark ended without a word.
process.on('disconnect', () => process.exit())
say({ is: 'ready' })

function say(what: Said): void {
  process.send?.(what)
}
