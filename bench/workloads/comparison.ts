import { type Contestant, earlier, keyvPostgres, keyvRedis, ours, oursIsolated, rawPg } from '../contestants/caches'
import type { Spread } from '../measuring/measure'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import { fill, get, getMany, Keys, mixed, set, setMany, type Workload } from './of-comparison'

/** One row of the table. */
export interface Line {
  readonly work: string
  readonly bytes: number
  readonly callers: number
  readonly storage: 'unlogged' | 'logged'
  /** Whom the others are told relative to. Default: `pgstash`. */
  readonly own?: string
  /** By contestant. */
  readonly figures: Readonly<Record<string, Spread>>
}

interface Case {
  readonly workload: Workload
  readonly callers: number
}

/** Everybody with everybody, in turns, so that what the machine does meanwhile falls on all alike. */
export async function compare(settings: Settings, onLine: (line: Line) => void): Promise<Line[]> {
  const lines: Line[] = []
  for (const storage of ['unlogged', 'logged'] as const) {
    const cases = casesOf(settings, storage).filter((one) => nameOf(one).includes(settings.only))
    if (cases.length === 0) continue
    const contestants = await open(settings, storage)
    let filled = 0
    for (const one of cases) {
      const { workload, callers } = one
      const keys = keysOf(settings, workload)
      if (workload.bytes !== filled) {
        for (const contestant of contestants) await fill(contestant, keys, workload.bytes)
        filled = workload.bytes
      }
      const figures = await figuresOf(settings, contestants, one, keys)
      const line = { work: workload.name, bytes: workload.bytes, callers, storage, figures }
      lines.push(line)
      onLine(line)
    }
    for (const contestant of contestants) await contestant.close()
  }
  return lines
}

function nameOf({ workload, callers }: Case): string {
  return `${workload.name} ${callers}`
}

async function open(settings: Settings, storage: 'unlogged' | 'logged'): Promise<Contestant[]> {
  const where = { ...settings, isUnlogged: storage === 'unlogged' }
  const opened = [
    await ours(where),
    await ours(where, 50),
    await oursIsolated(where),
    await keyvPostgres(where),
    await keyvRedis(where),
    await rawPg(where),
    await earlier(where),
  ]
  return opened.filter((contestant) => contestant !== undefined)
}

function casesOf({ isQuick }: Settings, storage: 'unlogged' | 'logged'): Case[] {
  const at = (workload: Workload, ...callers: number[]) => callers.map((count) => ({ workload, callers: count }))
  const crowds = isQuick ? [1, 64] : [1, 16, 64, 256]
  if (storage === 'logged') return isQuick ? at(set(300), 64) : [...at(get(300), 64), ...at(set(300), ...crowds)]
  const batches = (count: number) => [...at(getMany(count, 300), 1), ...at(setMany(count, 300), 1)]
  const usual = [...at(get(300), ...crowds), ...at(set(300), ...crowds), ...batches(100)]
  if (isQuick) return usual
  const sizes = [100, 1_000, 20_000].flatMap((bytes) => [...at(get(bytes), 64), ...at(set(bytes), 64)])
  return [...usual, ...at(mixed(300), ...crowds), ...batches(10), ...sizes]
}

/** Values of 20 KB are of fewer keys, so that a run fills no disk. */
function keysOf({ keys }: Settings, { bytes }: Workload): Keys {
  return new Keys(bytes >= 10_000 ? Math.min(keys, 5_000) : keys)
}

async function figuresOf(
  settings: Settings,
  contestants: readonly Contestant[],
  { workload, callers }: Case,
  keys: Keys,
): Promise<Record<string, Spread>> {
  const present = contestants.filter((contestant) => takesPart(contestant, workload, callers))
  const operations = Object.fromEntries(present.map((one) => [one.name, workload.make(one, keys)]))
  const figureOf = await takeTurns(operations, callers, settings)
  return Object.fromEntries(present.map(({ name }) => [name, figureOf(name)]))
}

/** A batch belongs to one tenant; row-level security is compared where there is a target. */
function takesPart({ name }: Contestant, { isBatch }: Workload, callers: number): boolean {
  if (name === 'pgstash, rls') return callers === 64
  return !(isBatch && name.includes('tenants'))
}
