import { decodeValue, encodeValue } from '../../entry/codec'
import type { StoredKey } from '../../entry/key'
import { now, soon, startTimer } from '../../own-clock'
import type { Claim, Claimed, FoundEntry, LoadTable } from '../../postgres/loading/table'
import type { Entry } from '../entries/entry'
import type { LoadContext, LoadScope } from '../entries/loading'
import { isOutage } from '../options/outage'
import { Context } from './context'
import { tellLoad } from './events'
import type { Flight, Outcome } from './flight'
import { HeldLeases } from './held-leases'
import { isNested } from './nesting'
import { LoadFailure, type Ran, runLoader } from './run'
import type { LoadTerms } from './terms'

/** What is to be loaded. */
export interface Task {
  readonly scope: LoadScope
  readonly table: LoadTable
  readonly terms: LoadTerms
  /** As the caller wrote it. */
  readonly name: string
  readonly stored: StoredKey
  readonly load: (context: LoadContext) => unknown
  /** As the key is claimed. */
  readonly claim: Claim
  /** The database is away: nobody is asked, and nothing stored. */
  readonly isAway: boolean
  /** How long the loader took, where it has ended; and for how long what it made lives, in milliseconds. */
  onLoaded(durationMs: number, ttl?: number | null): void
}

/** How often it is asked whether another process has loaded: after 20 ms, then twice as long each time. */
const firstPauseMs = 20
const longestPauseMs = 250

/** The whole of one load: the claim, the waiting for another process, the loader under its lease, the store. */
export class OneLoad {
  readonly #task: Task
  readonly #flight: Flight

  constructor(flight: Flight, task: Task) {
    this.#flight = flight
    this.#task = task
  }

  async run(): Promise<Outcome> {
    // All who were answered together that nothing is there join before the first step.
    await new Promise<void>((resolve) => soon(resolve))
    try {
      return this.#task.isAway ? await this.#unstored(undefined, false) : await this.#claimed()
    } catch (error) {
      const mayDoWithout = this.#task.scope.rules.onError === 'miss' && isOutage(error) && !this.#flight.hasBegun
      if (!mayDoWithout) throw error
      return this.#unstored(undefined, false)
    }
  }

  /** Until the key is fresh, or its value may be served, or it is this process's to load. */
  async #claimed(): Promise<Outcome> {
    const { terms } = this.#task
    const waitMs = isNested() ? Math.min(terms.waitTimeoutMs, terms.leaseMs) : terms.waitTimeoutMs
    const until = now() + waitMs
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      const asOf = this.#flight.step()
      const claimed = await this.#claim()
      const { isFresh, token, leftMs, entry } = claimed
      if (token !== undefined) return this.#hold(token, entry, asOf)
      if (entry !== undefined) return found(entry, asOf)
      if (isFresh) throw new Error('an answer without an entry')
      const left = until - now()
      if (left <= 0) return this.#unstored(undefined, true)
      // Not all at one time. And at the end of the lease, where that is sooner.
      await this.#pause(Math.min(pauseMs * (0.75 + Math.random() / 4), leftMs + 1, left))
    }
  }

  async #claim(): Promise<Claimed> {
    const { scope, table, claim } = this.#task
    this.#flight.signal.throwIfAborted()
    return table.claim(scope.address, claim)
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#flight
    await new Promise<void>((resolve) => {
      const over = () => {
        stop()
        // One for each pause would stay until the load is over.
        signal.removeEventListener('abort', over)
        resolve()
      }
      const stop = startTimer(over, ms, true)
      signal.addEventListener('abort', over, { once: true })
    })
    signal.throwIfAborted()
  }

  /** Another process takes too long, or none can be asked: the value is for those who wait here. */
  async #unstored(entry: FoundEntry | undefined, isForEarlier: boolean): Promise<Outcome> {
    this.#flight.tellStale(undefined)
    const asOf = this.#flight.step()
    const ran = await this.#load(this.#contextOf(entry))
    if (ran instanceof LoadFailure) {
      this.#tell(ran, false)
      throw ran.error
    }
    tellLoad(this.#task.scope.address, 'loaded', ran.durationMs, false)
    return { asOf, isForEarlier, read: this.#readerOf(ran.value) }
  }

  /** The key is this process's to load. */
  async #hold(token: number, entry: FoundEntry | undefined, claimedAt: number): Promise<Outcome> {
    const { scope, table, terms, stored } = this.#task
    // First of all: what is there may not be readable, and nothing would ever give the lease up.
    const context = this.#contextOf(entry)
    const leases = new HeldLeases(table, scope.address, [{ key: stored.key, token }], terms.leaseMs)
    // Nothing of it will be stored: whoever asks anew need not wait for it.
    this.#flight.whenDetached(() => void leases.release([stored.key]))
    const mayServe = entry !== undefined && !terms.isForced
    this.#flight.tellStale(mayServe ? { asOf: claimedAt, entry } : undefined)
    const asOf = this.#flight.step()
    const ran = await this.#load(context)
    if (ran instanceof LoadFailure) {
      this.#tell(ran, false)
      const isStaleServed = mayServe && ran.end !== 'abandoned'
      await leases.release([stored.key], isStaleServed ? terms.errorBackoffMs : 0)
      if (isStaleServed) return found(entry, claimedAt)
      throw ran.error
    }
    try {
      return await this.#end(context, ran, leases, asOf)
    } catch (error) {
      await leases.release([stored.key])
      throw error
    }
  }

  async #end(context: Context, { value, durationMs }: Ran, leases: HeldLeases, asOf: number): Promise<Outcome> {
    const { scope, stored, terms } = this.#task
    if (context.isSkipped || value === undefined) {
      const read = this.#readerOf(value)
      const endedAt = this.#flight.step()
      const isCurrent = await leases.release([stored.key])
      this.#task.onLoaded(durationMs)
      tellLoad(scope.address, context.isSkipped ? 'skipped' : 'none', durationMs, false)
      return { asOf: isCurrent ? endedAt : asOf, isForEarlier: true, read }
    }
    const end = context.isNotModified ? 'not-modified' : 'loaded'
    const encoded = context.isNotModified ? undefined : encodeValue(value, scope.rules.maxValueBytes)
    const read = encoded === undefined ? this.#readerOf(value) : () => decodeValue(encoded.format, encoded.text)
    const ttl = context.ttlOf(value)
    this.#task.onLoaded(durationMs, ttl)
    if (this.#flight.isDetached) {
      tellLoad(scope.address, end, durationMs, false)
      return { asOf, isForEarlier: true, read }
    }
    const { grace, added } = context
    const token = leases.tokenOf(stored.key)
    const tags = terms.tags
    const send = async () => {
      if (token === undefined) return undefined
      const [version] = await leases.store([{ ...stored, token, value: encoded, ttl, grace, tags, added }])
      return version
    }
    const write = encoded && { ...stored, value: encoded, ttl, tags: tags ?? added }
    // Who asks from now on may have been told of a change that comes after it was stored, and before this process knows: he asks anew. So does everybody who came late where it is not known
    // that it was stored; the value is there for the others, whatever becomes of it in the database.
    const endedAt = this.#flight.step()
    const version = await (scope.near?.storing(stored.key, write, send) ?? send()).catch(() => undefined)
    leases.end()
    tellLoad(scope.address, end, durationMs, version !== undefined)
    return { asOf: version === undefined ? asOf : endedAt, isForEarlier: true, read }
  }

  async #load(context: Context): Promise<Ran | LoadFailure> {
    const { name, terms, load } = this.#task
    return runLoader(this.#flight, name, terms.maxLoadMs, () => load(context))
  }

  #contextOf(entry: FoundEntry | undefined): Context {
    const { name, terms } = this.#task
    return new Context(name, this.#flight.signal, entry && entryOf(entry), terms)
  }

  /** As it would be read later, for each caller anew; what cannot be stored is answered as it is. */
  #readerOf(value: unknown): () => unknown {
    if (value === undefined) return () => undefined
    try {
      const { format, text } = encodeValue(value, this.#task.scope.rules.maxValueBytes)
      return () => decodeValue(format, text)
    } catch {
      return () => value
    }
  }

  #tell({ end, durationMs }: LoadFailure, isStored: boolean): void {
    tellLoad(this.#task.scope.address, end, durationMs, isStored)
  }
}

/** What the database has. */
function found({ format, text }: FoundEntry, asOf: number): Outcome {
  return { asOf, isForEarlier: true, read: () => decodeValue(format, text) }
}

function entryOf({ format, text, version, expiresAt }: FoundEntry): Entry {
  return { value: decodeValue(format, text), version, expiresAt }
}
