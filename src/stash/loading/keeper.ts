import type { Address } from '../../coalescing/address'
import { decodeValue } from '../../entry/codec'
import { indexKey, type StoredKey, storedKey } from '../../entry/key'
import { CallAbortedError, LoadTimeoutError, StashClosedError } from '../../errors'
import { startTimer } from '../../own-clock'
import { type FoundEntry, LoadTable } from '../../postgres/loading/table'
import type { Load, LoadContext, LoadMany, LoadOptions, LoadScope, Loads } from '../entries/loading'
import { GivingUp } from '../locks/giving-up'
import { isOutage } from '../options/outage'
import { EagerRefresh } from './eager'
import { Flight, type Outcome, type Stale } from './flight'
import { Flights } from './flights'
import { assertNoCycle, waitFor } from './nesting'
import { OneLoad, type Task } from './one'
import { type LoadSeveral, type Part, SeveralLoads } from './several'
import { claimOf, type LoadTerms, loadTerms } from './terms'

/** Who joined too late for an answer asks anew: of the next flight he is one of the first. After so many he begins one of his own, whose answer is one to him whatever happens. */
const mostFlights = 5

type Asked = Pick<Task, 'scope' | 'table' | 'terms' | 'name' | 'stored' | 'load'>

/** What works values out in a stash: a read first, which is that of a `get`; where nothing is there, one load for all who ask. */
export class LoadKeeper implements Loads {
  readonly #flights = new Flights()
  readonly #eager = new EagerRefresh()
  readonly #timeoutMs: number
  #isClosed = false

  /** @param timeoutMs how long `close()` waits for loads under way */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  async getOrSet<Value>(
    scope: LoadScope,
    key: string,
    load: Load<Value>,
    options: LoadOptions | undefined,
  ): Promise<Value | undefined> {
    if (this.#isClosed) throw new StashClosedError()
    const terms = loadTerms(options, scope.rules)
    const stored = storedKey(key)
    const table = scope.tables.of(LoadTable)
    const asked: Asked = { scope, table, terms, name: key, stored, load: load as (context: LoadContext) => unknown }
    return (await this.#get(asked)) as Value | undefined
  }

  async getOrSetMany<Value>(
    scope: LoadScope,
    keys: readonly string[],
    load: LoadMany<Value>,
    options: LoadOptions | undefined,
  ): Promise<(Value | undefined)[]> {
    if (this.#isClosed) throw new StashClosedError()
    const terms = { ...loadTerms(options, scope.rules), eager: undefined }
    const stored = keys.map((key) => storedKey(key))
    const { values, isAway } = await this.#readMany(scope, keys, terms)
    const table = scope.tables.of(LoadTable)
    const loadAll: LoadSeveral = (names, signal) => load(names, { signal })
    const absent = new Map<string, StoredKey>()
    for (const [at, key] of keys.entries()) if (values[at] === undefined) absent.set(key, stored[at] as StoredKey)
    const asked = new Map(
      [...absent].map(([name, own]): [string, Asked] => {
        const loadOne = async (context: LoadContext) => (await load([name], { signal: context.signal })).get(name)
        return [name, { scope, table, terms, name, stored: own, load: loadOne }]
      }),
    )
    this.#beginTogether([...asked.values()], loadAll, isAway)
    const joined = await Promise.all(
      [...asked].map(async ([name, one]): Promise<[string, unknown]> => {
        const answer = await this.#join(one, isAway, false)
        return [name, answer === undefined ? await this.#get(one) : answer.read()]
      }),
    )
    const loaded = new Map(joined)
    return keys.map((key, at) => (values[at] === undefined ? loaded.get(key) : values[at])) as (Value | undefined)[]
  }

  voidKey(address: Address, key: string): void {
    this.#flights.voidKey(address, key)
  }

  voidAll(address: Address): void {
    this.#flights.voidAll(address)
  }

  /** Waits for the loads under way, those too for which nobody waits. */
  async close(): Promise<void> {
    this.#isClosed = true
    let stop = () => {}
    const late = new Promise<void>((resolve) => {
      stop = startTimer(resolve, this.#timeoutMs, true)
    })
    await this.#flights.end(late, () => new StashClosedError())
    stop()
  }

  async #get(asked: Asked): Promise<unknown> {
    for (let flights = 1; ; flights += 1) {
      const { value, isAway } = await this.#read(asked)
      if (value !== undefined) return value
      const answer = await this.#join(asked, isAway, flights === mostFlights)
      if (answer !== undefined) return answer.read()
    }
  }

  /** As `get`. */
  async #read(asked: Asked): Promise<{ readonly value: unknown; readonly isAway: boolean }> {
    const { scope, terms, name, stored } = asked
    if (terms.isForced) return { value: undefined, isAway: false }
    const options = terms.signal && { signal: terms.signal }
    try {
      if (terms.eager === undefined) {
        const hit = scope.near?.hit(name, options)
        return { value: await (hit ?? scope.verbs.get(scope.address, stored.key, options)), isAway: false }
      }
      const aged = await scope.verbs.getAged(scope.address, stored.key, options)
      if (aged !== undefined && this.#eager.isDue(asked, aged.leftMs)) this.#refresh(asked, aged.leftMs as number)
      return { value: aged?.value, isAway: false }
    } catch (error) {
      if (scope.rules.onError === 'miss' && isOutage(error)) return { value: undefined, isAway: true }
      throw error
    }
  }

  async #readMany({ verbs, address, rules }: LoadScope, keys: readonly string[], { isForced, signal }: LoadTerms) {
    const indexed = keys.map((key) => indexKey(key))
    const none = { values: keys.map(() => undefined) as unknown[], isAway: false }
    if (isForced) return none
    try {
      return { values: await verbs.getMany(address, indexed, signal && { signal }), isAway: false }
    } catch (error) {
      if (rules.onError === 'miss' && isOutage(error)) return { ...none, isAway: true }
      throw error
    }
  }

  /** Those that nobody here loads yet: one flight each, one claim, one load and one store for all. */
  #beginTogether(asked: readonly Asked[], load: LoadSeveral, isAway: boolean): void {
    const isFree = ({ scope, stored, terms }: Asked) => terms.isForced || !this.#flights.get(scope.address, stored.key)
    const parts = asked.filter(isFree).map((one): Part => {
      const flight = new Flight(one.scope.address, one.stored.key, one.terms.isForced)
      this.#flights.add(flight)
      return { flight, task: this.#taskOf(flight, one, isAway, 0) }
    })
    if (parts.length === 0) return
    void new SeveralLoads(parts, load, ({ flight, task }) => new OneLoad(flight, task).run()).run()
  }

  /** Before the ttl is over: beside the answer, and only if nobody else does. */
  #refresh(asked: Asked, minLeftMs: number): void {
    const { scope, stored } = asked
    if (this.#isClosed || this.#flights.get(scope.address, stored.key) !== undefined) return
    const flight = this.#begin({ ...asked, terms: { ...asked.terms, isForced: false } }, false, minLeftMs)
    flight.isBackground = true
  }

  /** Joins the flight of the key, or begins one. undefined: what it answers may be older than the question. */
  async #join(asked: Asked, isAway: boolean, isLast: boolean): Promise<Outcome | { read(): unknown } | undefined> {
    const { scope, terms, stored, name } = asked
    const open = this.#flights.get(scope.address, stored.key)
    if (open !== undefined && terms.isForced) assertNoCycle(open, name)
    const mayJoin = !isLast && open !== undefined && (!terms.isForced || (open.isForced && !open.hasBegun))
    const flight = mayJoin ? open : this.#begin(asked, isAway, 0)
    const giving = this.#givingUp(flight, name, terms)
    const joinedAt = flight.join()
    try {
      const stale = await raced(giving, flight.stale)
      const served = stale && (await raced(giving, this.#servable(asked, stale, joinedAt)))
      if (served !== undefined) return await this.#softly(flight, giving, terms, served)
      const outcome = await waitFor(flight, name, () => raced(giving, flight.outcome))
      return outcome.isForEarlier && joinedAt >= outcome.asOf ? undefined : outcome
    } finally {
      giving?.end()
      flight.leave(() => new CallAbortedError('unknown', terms.signal?.reason))
    }
  }

  /** undefined: the caller waits for as long as it takes, as most do, of which there may be a hundred thousand at once. */
  #givingUp(flight: Flight, name: string, { signal, hardTimeoutMs }: LoadTerms): GivingUp | undefined {
    if (signal === undefined && hardTimeoutMs === null) return undefined
    const late = () => {
      flight.isBackground = true
      return new LoadTimeoutError(name, hardTimeoutMs ?? 0, true)
    }
    return new GivingUp(signal, hardTimeoutMs, late, (reason) => new CallAbortedError('unknown', reason))
  }

  /** What is stale for somebody: who came after it was read looks whether it still is there. */
  async #servable({ scope, table, stored, terms }: Asked, stale: Stale, joinedAt: number) {
    if (terms.isForced) return undefined
    if (joinedAt < stale.asOf) return readerOf(stale.entry)
    const { entry } = await table.look(scope.address, stored.key)
    return entry && readerOf(entry)
  }

  /** The new value if it comes soon enough; otherwise the stale one, and the load goes on. */
  async #softly(
    flight: Flight,
    giving: GivingUp | undefined,
    { softTimeoutMs }: LoadTerms,
    stale: { read(): unknown },
  ): Promise<{ read(): unknown }> {
    if (softTimeoutMs > 0) {
      let stop = () => {}
      const late = new Promise<undefined>((resolve) => {
        stop = startTimer(() => resolve(undefined), softTimeoutMs, true)
      })
      const outcome = await raced(giving, Promise.race([flight.outcome, late])).finally(stop)
      if (outcome !== undefined) return outcome
    }
    flight.isBackground = true
    return stale
  }

  #begin(asked: Asked, isAway: boolean, minLeftMs: number): Flight {
    const { scope, stored, terms } = asked
    const flight = new Flight(scope.address, stored.key, terms.isForced)
    this.#flights.add(flight)
    flight.land(new OneLoad(flight, this.#taskOf(flight, asked, isAway, minLeftMs)).run())
    return flight
  }

  #taskOf(flight: Flight, asked: Asked, isAway: boolean, minLeftMs: number): Task {
    const onLoaded = (durationMs: number, ttl?: number | null) => this.#eager.note(flight, durationMs, ttl)
    return { ...asked, claim: claimOf(asked.stored, asked.terms, minLeftMs), isAway, onLoaded }
  }
}

function raced<T>(giving: GivingUp | undefined, work: Promise<T>): Promise<T> {
  return giving === undefined ? work : giving.race(work)
}

function readerOf({ format, text }: FoundEntry): { read(): unknown } {
  return { read: () => decodeValue(format, text) }
}
