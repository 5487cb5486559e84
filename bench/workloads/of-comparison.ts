import { randomBytes } from 'node:crypto'
import type { Contestant } from '../contestants/caches'

/** What the callers do, again and again. */
export interface Workload {
  readonly name: string
  /** Bytes of a value. */
  readonly bytes: number
  /** One call on many keys. */
  readonly isBatch?: boolean
  make(contestant: Contestant, keys: Keys): () => Promise<unknown>
}

/** The keys of a run; every run reads and writes the same ones. */
export class Keys {
  readonly #size: number

  constructor(size: number) {
    this.#size = size
  }

  one(): string {
    return `key:${Math.floor(Math.random() * this.#size)}`
  }

  /** Distinct: no store merges what another writes twice. */
  many(count: number): string[] {
    const from = Math.floor(Math.random() * this.#size)
    return Array.from({ length: count }, (_, at) => `key:${(from + at * 97) % this.#size}`)
  }

  *all(): Generator<string> {
    for (let at = 0; at < this.#size; at += 1) yield `key:${at}`
  }
}

/** Random, so that no store gains by compressing it. */
const text = (bytes: number) => randomBytes(bytes).toString('base64').slice(0, bytes)

export function get(bytes: number): Workload {
  return { name: 'get', bytes, make: (contestant, keys) => () => contestant.get(keys.one()) }
}

export function set(bytes: number): Workload {
  const value = text(bytes)
  return { name: 'set', bytes, make: (contestant, keys) => () => contestant.set(keys.one(), value) }
}

export function mixed(bytes: number): Workload {
  const value = text(bytes)
  return {
    name: 'mixed 90/10',
    bytes,
    make: (contestant, keys) => () =>
      Math.random() < 0.9 ? contestant.get(keys.one()) : contestant.set(keys.one(), value),
  }
}

export function getMany(count: number, bytes: number): Workload {
  const make = (contestant: Contestant, keys: Keys) => () => contestant.getMany(keys.many(count))
  return { name: `getMany ${count}`, bytes, isBatch: true, make }
}

export function setMany(count: number, bytes: number): Workload {
  const value = text(bytes)
  return {
    name: `setMany ${count}`,
    bytes,
    isBatch: true,
    make: (contestant, keys) => () => contestant.setMany(keys.many(count).map((key) => ({ key, value }))),
  }
}

/** Every key once, so that reads find and writes overwrite; by single sets, which a contestant may spread over tenants. */
export async function fill(contestant: Contestant, keys: Keys, bytes: number): Promise<void> {
  const value = text(bytes)
  let batch: Promise<unknown>[] = []
  for (const key of keys.all()) {
    batch.push(contestant.set(key, value))
    if (batch.length === 500) {
      await Promise.all(batch)
      batch = []
    }
  }
  await Promise.all(batch)
}
