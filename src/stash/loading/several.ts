import { decodeValue, type EncodedValue, encodeValue } from '../../entry/codec'
import { soon } from '../../own-clock'
import type { Claimed, LoadedWrite } from '../../postgres/loading/table'
import { isOutage } from '../options/outage'
import { tellLoad } from './events'
import type { Flight, Outcome } from './flight'
import { HeldLeases } from './held-leases'
import type { Task } from './one'
import { LoadFailure, type Ran, runLoader } from './run'
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

/** What came of one key. */
interface Answer {
  readonly value: unknown
  /** undefined: there is none, or it is refused. */
  readonly encoded: EncodedValue | undefined
  /** JSON has no such value: those who asked for this key are told. */
  readonly refusal: { readonly error: unknown } | undefined
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
    try {
      const claimed = await this.#claim()
      if (claimed === undefined) return await this.#unstored()
      const held = this.#ownOf(claimed)
      if (held.length > 0) await this.#hold(held)
    } catch (error) {
      for (const { flight } of this.#parts) flight.land(Promise.reject(error))
    }
  }

  /** undefined: the database is away, and may be done without. */
  async #claim(): Promise<readonly Claimed[] | undefined> {
    const [{ task }] = this.#parts as [Part]
    if (task.isAway) return undefined
    try {
      return await task.table.claimMany(
        task.scope.address,
        this.#parts.map((part) => part.task.claim),
      )
    } catch (error) {
      if (task.scope.rules.onError === 'miss' && isOutage(error)) return undefined
      throw error
    }
  }

  /** Those that are this process's to load; the others are under way. */
  #ownOf(claimed: readonly Claimed[]): readonly Held[] {
    const held: Held[] = []
    for (const [at, part] of this.#parts.entries()) {
      const token = claimed[at]?.token
      if (token === undefined) part.flight.land(this.#other(part))
      else held.push({ ...part, token, asOf: part.flight.step() })
    }
    return held
  }

  /** The values are for those who wait here. */
  async #unstored(): Promise<void> {
    const asOf = new Map(this.#parts.map((part) => [part, part.flight.step()]))
    const { value, durationMs } = await this.#loaded(this.#parts)
    for (const [part, answer] of answersOf(this.#parts, value)) {
      land(part, answer, durationMs, false, { asOf: asOf.get(part) as number, isForEarlier: false })
    }
  }

  async #hold(held: readonly Held[]): Promise<void> {
    const [{ task }] = held as [Held]
    const leases = new HeldLeases(task.table, task.scope.address, held.map(keyOf), task.terms.leaseMs)
    for (const { flight, task: own } of held) flight.whenDetached(() => void leases.release([own.stored.key]))
    try {
      const { value, durationMs } = await this.#loaded(held)
      const answers = answersOf(held, value)
      const endedAt = new Map(held.map((one) => [one, one.flight.step()]))
      const isCurrent = await store(answers, leases)
      for (const [one, answer] of answers) {
        // As of one load: who asked while it was being stored asks anew.
        const isStored = isCurrent.get(one) === true
        const asOf = isStored ? (endedAt.get(one) as number) : one.asOf
        land(one, answer, durationMs, isStored, { asOf, isForEarlier: true })
      }
    } catch (error) {
      await leases.release(held.map((one) => one.task.stored.key))
      for (const { flight } of held) flight.land(Promise.reject(error))
    }
  }

  /** @throws what the loader throws */
  async #loaded(parts: readonly Part[]): Promise<Ran> {
    const [{ task, flight: first }] = parts as [Part]
    for (const { flight } of parts) {
      flight.hasBegun = true
      flight.tellStale(undefined)
      // The loader runs as the first one's: what it asks for itself would wait for it by any of its keys.
      if (flight !== first) flight.waitsFor.add(first)
    }
    const names = parts.map((part) => part.task.name)
    const controller = whileWanted(parts)
    const load = () => this.#load(names, controller.signal)
    const ran = await runLoader(first, names.join(', '), task.terms.maxLoadMs, load, controller)
    if (!(ran instanceof LoadFailure)) return ran
    tellLoad(task.scope.address, ran.end, ran.durationMs, false)
    throw ran.error
  }
}

/** The loader is one: it is told when nobody waits for any of its keys. That may have come about while they were claimed. */
function whileWanted(parts: readonly Part[]): AbortController {
  const controller = new AbortController()
  let waiting = parts.length
  for (const { signal } of parts.map(({ flight }) => flight)) {
    const gone = () => {
      waiting -= 1
      if (waiting === 0) controller.abort(signal.reason)
    }
    if (signal.aborted) gone()
    else signal.addEventListener('abort', gone)
  }
  return controller
}

/** Whether of each nothing had voided it. */
async function store(answers: ReadonlyMap<Held, Answer>, leases: HeldLeases): Promise<ReadonlyMap<Held, boolean>> {
  const isCurrent = new Map<Held, boolean>()
  const isOwn = ({ flight, task }: Held) => !flight.isDetached && leases.tokenOf(task.stored.key) !== undefined
  const absent = [...answers].flatMap(([one, { encoded }]) => (encoded === undefined && isOwn(one) ? [one] : []))
  if (absent.length > 0) {
    // Of one round trip it is known whether all are current: where one is not, who came late asks for any of them anew.
    const areCurrent = await leases.release(absent.map((one) => one.task.stored.key))
    for (const one of absent) isCurrent.set(one, areCurrent)
  }
  const writes = new Map<Held, LoadedWrite & { readonly value: EncodedValue }>()
  for (const [one, { value, encoded }] of answers) {
    if (encoded !== undefined && isOwn(one)) writes.set(one, writeOf(one, value, encoded))
  }
  if (writes.size === 0) leases.end()
  const sent = writes.size === 0 ? Promise.resolve([]) : leases.store([...writes.values()])
  const versions = await Promise.all(
    [...writes].map(async ([one, write], at) => {
      const send = async () => (await sent)[at]
      const { near } = one.task.scope
      const own = { ...one.task.stored, value: write.value, ttl: write.ttl, tags: write.tags }
      return (near?.storing(write.key, own, send) ?? send()).catch(() => undefined)
    }),
  )
  for (const [at, one] of [...writes.keys()].entries()) isCurrent.set(one, versions[at] !== undefined)
  return isCurrent
}

/** Tells those who wait for one key. */
function land(
  { flight, task }: Part,
  { encoded, refusal }: Answer,
  durationMs: number,
  isStored: boolean,
  answered: Omit<Outcome, 'read'>,
): void {
  if (refusal !== undefined) {
    flight.land(Promise.reject(refusal.error))
    return
  }
  tellLoad(task.scope.address, encoded === undefined ? 'none' : 'loaded', durationMs, isStored && encoded !== undefined)
  const read = () => encoded && decodeValue(encoded.format, encoded.text)
  flight.land(Promise.resolve({ ...answered, read }))
}

const keyOf = ({ task, token }: Held) => ({ key: task.stored.key, token })

function writeOf({ task: { stored, terms }, token }: Held, value: unknown, encoded: EncodedValue) {
  const ttl = jittered(value === null ? terms.negativeTtl : terms.ttl, terms.ttlJitter)
  return { ...stored, token, value: encoded, ttl, grace: terms.grace, tags: terms.tags, added: undefined }
}

function answersOf<Own extends Part>(parts: readonly Own[], given: unknown): ReadonlyMap<Own, Answer> {
  if (!(given instanceof Map)) {
    throw new TypeError('the loader of getOrSetMany answers no Map: return new Map([[key, value], …])')
  }
  return new Map(parts.map((part) => [part, answerOf(part.task, given.get(part.task.name))]))
}

function answerOf({ scope }: Task, value: unknown): Answer {
  if (value === undefined) return { value, encoded: undefined, refusal: undefined }
  try {
    return { value, encoded: encodeValue(value, scope.rules.maxValueBytes), refusal: undefined }
  } catch (error) {
    return { value, encoded: undefined, refusal: { error } }
  }
}
