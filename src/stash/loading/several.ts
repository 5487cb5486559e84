import { decodeValue, encodeValue } from '../../entry/codec'
import { soon } from '../../own-clock'
import type { LoadedWrite } from '../../postgres/loading/table'
import { tellLoad } from './events'
import type { Flight, Outcome } from './flight'
import { HeldLeases } from './held-leases'
import type { Task } from './one'
import { LoadFailure, runLoader } from './run'
import { jittered } from './terms'

/** One key of several that are claimed together. */
export interface Part {
  readonly flight: Flight
  readonly task: Task
}

/** A part that is this process's to load. */
interface Held extends Part {
  readonly token: number
  readonly asOf: number
}

/** Works values out of the keys that it is given, by key. */
export type LoadSeveral = (keys: string[], signal: AbortSignal) => unknown

/**
 * One claim, one load and one store for several keys. What is fresh by then, or somebody else's to load, is the business of `others`, key by key.
 */
export class SeveralLoads {
  readonly #parts: readonly Part[]
  readonly #load: LoadSeveral
  readonly #other: (part: Part) => Promise<Outcome>

  constructor(parts: readonly Part[], load: LoadSeveral, other: (part: Part) => Promise<Outcome>) {
    this.#parts = parts
    this.#load = load
    this.#other = other
  }

  /** Lands every flight; never rejects. */
  async run(): Promise<void> {
    await new Promise<void>((resolve) => soon(resolve))
    const [{ task }] = this.#parts as [Part]
    const asOf = new Map(this.#parts.map((part) => [part, part.flight.step()]))
    try {
      const claims = this.#parts.map((part) => part.task.claim)
      const claimed = await task.table.claimMany(task.scope.address, claims)
      const held: Held[] = []
      for (const [at, part] of this.#parts.entries()) {
        const token = claimed[at]?.token
        // What was stale is served key by key: a claim that finds it takes the lease over from here.
        if (token === undefined) part.flight.land(this.#other(part))
        else held.push({ ...part, token, asOf: asOf.get(part) as number })
      }
      if (held.length > 0) await this.#hold(held)
    } catch (error) {
      for (const { flight } of this.#parts) flight.land(Promise.reject(error))
    }
  }

  async #hold(held: readonly Held[]): Promise<void> {
    const [{ task, flight: first }] = held as [Held]
    const { scope, table, terms } = task
    const leases = new HeldLeases(table, scope.address, held.map(keyOf), terms.leaseMs)
    const controller = new AbortController()
    let waiting = held.length
    for (const { flight, task: own } of held) {
      flight.hasBegun = true
      flight.tellStale(undefined)
      flight.whenDetached(() => void leases.release([own.stored.key]))
      // The loader is one: it is told when nobody waits for any of them.
      flight.signal.addEventListener('abort', () => {
        waiting -= 1
        if (waiting === 0) controller.abort(flight.signal.reason)
      })
    }
    const asOf = new Map(held.map((one) => [one, one.flight.step()]))
    const names = held.map((one) => one.task.name)
    const ran = await runLoader(
      first,
      names.join(', '),
      terms.maxLoadMs,
      () => this.#load(names, controller.signal),
      controller,
    )
    if (ran instanceof LoadFailure) {
      tellLoad(scope.address, ran.end, ran.durationMs, false)
      await leases.release(held.map((one) => one.task.stored.key))
      for (const { flight } of held) flight.land(Promise.reject(ran.error))
      return
    }
    try {
      const values = valuesOf(ran.value)
      const isCurrent = await this.#store(held, values, leases)
      for (const one of held) {
        const value = values.get(one.task.name)
        const isStored = isCurrent.get(one)
        tellLoad(
          scope.address,
          value === undefined ? 'none' : 'loaded',
          ran.durationMs,
          isStored === true && value !== undefined,
        )
        one.flight.land(
          Promise.resolve({
            asOf: asOf.get(one) as number,
            isForEarlier: isStored !== true,
            read: readerOf(one, value),
          }),
        )
      }
    } catch (error) {
      await leases.release(held.map((one) => one.task.stored.key))
      for (const { flight } of held) flight.land(Promise.reject(error))
    }
  }

  /** Whether of each nothing had voided it. */
  async #store(held: readonly Held[], values: ReadonlyMap<string, unknown>, leases: HeldLeases) {
    const isCurrent = new Map<Held, boolean>()
    const there = held.filter((one) => values.get(one.task.name) !== undefined)
    const writes = new Map(there.map((one) => [one, writeOf(one, values.get(one.task.name))]))
    const absent = held.filter((one) => !there.includes(one))
    for (const one of absent) isCurrent.set(one, await leases.release([one.task.stored.key]))
    const stored = there.filter(
      ({ flight, task }) => !flight.isDetached && leases.tokenOf(task.stored.key) !== undefined,
    )
    if (stored.length === 0) leases.end()
    const sent =
      stored.length === 0 ? Promise.resolve([]) : leases.store(stored.map((one) => writes.get(one) as LoadedWrite))
    const versions = await Promise.all(
      stored.map(async (one, at) => {
        const write = writes.get(one) as LoadedWrite
        const send = async () => (await sent)[at]
        const { near } = one.task.scope
        const own = {
          ...one.task.stored,
          value: write.value as NonNullable<typeof write.value>,
          ttl: write.ttl,
          tags: write.tags,
        }
        return (near?.storing(write.key, own, send) ?? send()).catch(() => 0)
      }),
    )
    for (const [at, one] of stored.entries()) isCurrent.set(one, versions[at] !== undefined)
    return isCurrent
  }
}

const keyOf = ({ task, token }: Held) => ({ key: task.stored.key, token })

function writeOf({ task: { stored, terms, scope }, token }: Held, value: unknown): LoadedWrite {
  const ttl = jittered(value === null ? terms.negativeTtl : terms.ttl, terms.ttlJitter)
  const encoded = encodeValue(value, scope.rules.maxValueBytes)
  return { ...stored, token, value: encoded, ttl, grace: terms.grace, tags: terms.tags, added: undefined }
}

function readerOf({ task }: Held, value: unknown): () => unknown {
  if (value === undefined) return () => undefined
  const { format, text } = encodeValue(value, task.scope.rules.maxValueBytes)
  return () => decodeValue(format, text)
}

function valuesOf(given: unknown): ReadonlyMap<string, unknown> {
  if (given instanceof Map) return given
  throw new TypeError('the loader of getOrSetMany answers no Map: return new Map([[key, value], …])')
}
