import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Cache } from '../../src/stash/entries/cache'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { type Fate, fateOf, labelOf, type Marked, OwnedValue, Tally } from './ledger'
import { sleep } from './sleep'

export interface LoadOptions {
  /** Keeps two loads of a stash apart. */
  readonly name?: string
  readonly callers?: number
  /** The signal for one call, if it is to have one. */
  readonly signal?: () => AbortSignal | undefined
}

/** What the callers went through. */
export interface Report {
  readonly calls: number
  /** How often each error was told. */
  readonly failures: Readonly<Record<string, number>>
  /** Of a single call. */
  readonly slowestMs: number
  /** How long this process was kept from noticing anything: no fault of the stash. */
  readonly stalledMs: number
  /** Calls that nobody answered, long after all limits. */
  readonly hanging: readonly string[]
  /** Answers that are impossible. */
  readonly wrong: readonly string[]
}

const shared = [0, 1, 2, 3]
const tightLimit = 20
const longMs = 30 * 86_400_000

/** Calls are over by their time limit; this is for a busy machine, and for the calls of a round that come one after the other. */
const patienceMs = 15_000

/** After a failure: callers that are refused at once would otherwise keep the process busy with nothing else. */
const pauseMs = 5

/**
 * Callers that use a stash as apps do, some calls awaited and some not, and know what may be answered: values carry their key and
 * a number, sums and versions are counted.
 */
export class Load {
  readonly #cache: Cache
  readonly #sessions: Sessions
  readonly #limiter: RateLimiter
  readonly #tightLimiter: RateLimiter
  readonly #signal: () => AbortSignal | undefined
  readonly #entries: readonly OwnedValue[]
  readonly #ownSessions: readonly OwnedValue[]
  readonly #sums = shared.map((at) => new Tally(`sum-${at}`))
  readonly #swaps = shared.map((at) => new Tally(`swap-${at}`))
  readonly #hits = shared.map((at) => new Tally(`hits-${at}`))
  readonly #stalls = monitorEventLoopDelay({ resolution: 10 })
  readonly #failures: Record<string, number> = {}
  readonly #wrong: string[] = []
  readonly #waiting = new Set<string>()
  #callers: Promise<unknown> = Promise.resolve()
  #isStopping = false
  #calls = 0
  #tightHits = 0
  #slowestMs = 0

  private constructor(stash: PgStash, { name = 'load', callers = 16, signal = () => undefined }: LoadOptions) {
    this.#cache = stash.namespace(name)
    this.#sessions = new Sessions({ stash, namespace: name })
    this.#limiter = new RateLimiter({ stash, name, limit: 1_000_000, windowMs: longMs })
    this.#tightLimiter = new RateLimiter({
      stash,
      name: 'tight',
      limit: tightLimit,
      windowMs: longMs,
      denyCache: false,
    })
    this.#signal = signal
    this.#entries = Array.from({ length: callers }, (_, at) => new OwnedValue(`own-${at}`))
    this.#ownSessions = Array.from({ length: callers }, (_, at) => new OwnedValue(`session-${at}`))
  }

  /** Puts down what the callers need, once, and lets them loose. */
  static async on(stash: PgStash, options: LoadOptions = {}): Promise<Load> {
    const load = new Load(stash, options)
    for (const { key } of load.#swaps) await load.#cache.set(key, { key, n: 0 })
    load.#callers = Promise.all(load.#entries.map((_, caller) => load.#call(caller)))
    load.#stalls.enable()
    return load
  }

  /** Calls answered so far. */
  get calls(): number {
    return this.#calls
  }

  /** Impossible answers so far. */
  get wrong(): readonly string[] {
    return this.#wrong
  }

  /** Resolves when so many more calls have been answered without an error: the app has recovered. */
  async recovers(calls = 200): Promise<void> {
    const failed = () => Object.values(this.#failures).reduce((sum, count) => sum + count, 0)
    const answered = () => this.#calls - failed()
    const goal = answered() + calls
    const giveUpAt = performance.now() + patienceMs
    while (answered() < goal) {
      if (performance.now() > giveUpAt) throw new Error(`no recovery: ${JSON.stringify(this.#failures)}`)
      await sleep(20)
    }
  }

  async stop(): Promise<Report> {
    this.#isStopping = true
    await Promise.race([this.#callers, sleep(patienceMs)])
    this.#stalls.disable()
    return {
      calls: this.#calls,
      failures: this.#failures,
      slowestMs: Math.round(this.#slowestMs),
      stalledMs: Math.round(this.#stalls.max / 1e6),
      hanging: [...this.#waiting],
      wrong: this.#wrong,
    }
  }

  /** Compares what is stored with what was acknowledged; the database is well again. Answers what does not fit. */
  async audit({ hasCrashed = false } = {}): Promise<string[]> {
    const misfits: string[] = []
    const expect = (fits: boolean, about: OwnedValue | Tally, found: unknown) => {
      if (!fits) misfits.push(`${about}; found ${JSON.stringify(found)}`)
    }
    for (const owned of this.#entries) {
      const value = await this.#cache.get(owned.key)
      expect(owned.allows(value), owned, value)
    }
    for (const sum of this.#sums) {
      const value = ((await this.#cache.get(sum.key)) ?? 0) as number
      expect(sum.allows(value), sum, value)
    }
    for (const swap of this.#swaps) {
      const value = (await this.#cache.get(swap.key)) as Marked
      expect(value.key === swap.key && swap.allows(value.n), swap, value)
    }
    for (const hits of this.#hits) {
      const { used } = await this.#limiter.peek(hits.key)
      expect(hasCrashed ? hits.allowsAtMost(used) : hits.allows(used), hits, used)
    }
    if (this.#tightHits > tightLimit && !hasCrashed) misfits.push(`${this.#tightHits} of ${tightLimit} hits allowed`)
    return [...misfits, ...(await this.auditSessions())]
  }

  async auditSessions(): Promise<string[]> {
    const misfits: string[] = []
    for (const owned of this.#ownSessions) {
      const session = await this.#sessions.get(owned.key)
      if (!owned.allows(session?.marked)) misfits.push(`${owned}; found ${JSON.stringify(session)}`)
    }
    return misfits
  }

  async #call(caller: number): Promise<void> {
    for (let round = 0; !this.#isStopping; round += 1) {
      const at = (caller + round) % shared.length
      await this.#writeInABurst(this.#entries[caller] as OwnedValue)
      await this.#readOfOthers((caller + round) % this.#entries.length)
      await this.#add(this.#sums[at] as Tally)
      await this.#swap(this.#swaps[at] as Tally)
      await this.#keepSession(this.#ownSessions[caller] as OwnedValue)
      await this.#hit(this.#hits[at] as Tally)
    }
  }

  /** Two sets and two gets that nobody awaits, and a get that sees what came of them. */
  async #writeInABurst(owned: OwnedValue): Promise<void> {
    const { key } = owned
    const written = [owned.next(), owned.next()] as const
    const set = (value: Marked) => this.#write(`set ${key}`, (options) => this.#cache.set(key, value, options))
    const get = () => this.#read(`get ${key}`, (options) => this.#cache.get(key, options))
    const fates = [set(written[0]), get(), set(written[1]), get()] as const
    for (const seen of [await fates[1], await fates[3]])
      this.#check(seen, (value) => owned.allows(value, written), owned)
    owned.note(written[0], (await fates[0]).fate)
    owned.note(written[1], (await fates[2]).fate)
    this.#check(await get(), (value) => owned.allows(value), owned)
  }

  async #readOfOthers(first: number): Promise<void> {
    const keys = [...this.#entries, ...this.#entries].slice(first, first + 3).map(({ key }) => key)
    const seen = await this.#read('getMany', (options) => this.#cache.getMany(keys, options))
    const isOfItsKey = (value: unknown, at: number) => value === undefined || (value as Marked).key === keys[at]
    this.#check(seen, (values) => values.every(isOfItsKey), keys)
  }

  async #add(sum: Tally): Promise<void> {
    const add = () => this.#write(`increment ${sum.key}`, (options) => this.#cache.increment(sum.key, 1, options))
    for (const { fate, answer } of await Promise.all([add(), add()])) {
      sum.note(fate)
      if (answer === undefined) continue
      if (sum.answers.has(answer)) this.#wrong.push(`${sum.key} was ${answer} twice`)
      sum.answers.add(answer)
    }
  }

  async #swap(swap: Tally): Promise<void> {
    const { key } = swap
    const seen = await this.#read(`getEntry ${key}`, (options) => this.#cache.getEntry(key, options))
    const entry = seen?.value
    if (entry === undefined) return
    const { n } = entry.value as Marked
    const { fate, answer } = await this.#write(`compareAndSet ${key}`, (options) =>
      this.#cache.compareAndSet(key, entry.version, { key, n: n + 1 }, options),
    )
    swap.note(answer?.ok === false ? 'not done' : fate)
  }

  async #keepSession(owned: OwnedValue): Promise<void> {
    const marked = owned.next()
    const session = { marked, cookie: { maxAge: longMs } }
    const { fate } = await this.#write(`session ${owned.key}`, (options) =>
      this.#sessions.set(owned.key, session, options),
    )
    owned.note(marked, fate)
    await this.#write(`touch ${owned.key}`, (options) => this.#sessions.touch(owned.key, session, options))
    const seen = await this.#read(`session ${owned.key}`, (options) => this.#sessions.get(owned.key, options))
    this.#check(seen, (value) => owned.allows(value?.marked), owned)
  }

  async #hit(hits: Tally): Promise<void> {
    const hit = () => this.#write(`consume ${hits.key}`, (options) => this.#limiter.consume(hits.key, options))
    const tight = this.#write('consume tight', (options) => this.#tightLimiter.consume('tight', options))
    for (const { fate } of await Promise.all([hit(), hit()])) hits.note(fate)
    if ((await tight).answer?.isAllowed) this.#tightHits += 1
  }

  async #write<T>(name: string, run: (options: Signalled) => Promise<T>): Promise<{ fate: Fate; answer?: T }> {
    try {
      return { fate: 'done', answer: await this.#timed(name, run) }
    } catch (error) {
      await sleep(pauseMs)
      return { fate: fateOf(error) }
    }
  }

  /** undefined: it failed. */
  async #read<T>(name: string, run: (options: Signalled) => Promise<T>): Promise<{ value: T } | undefined> {
    try {
      return { value: await this.#timed(name, run) }
    } catch {
      await sleep(pauseMs)
      return undefined
    }
  }

  #check<T>(seen: { value: T } | undefined, isPossible: (value: T) => boolean, expected: unknown): void {
    if (seen === undefined || isPossible(seen.value)) return
    this.#wrong.push(`read ${JSON.stringify(seen.value)} of ${expected}`)
  }

  async #timed<T>(name: string, run: (options: Signalled) => Promise<T>): Promise<T> {
    const started = performance.now()
    const id = `${name} ${started}`
    this.#waiting.add(id)
    try {
      return await run({ signal: this.#signal() })
    } catch (error) {
      this.#failures[labelOf(error)] = (this.#failures[labelOf(error)] ?? 0) + 1
      throw error
    } finally {
      this.#calls += 1
      this.#waiting.delete(id)
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - started)
    }
  }
}

interface Signalled {
  readonly signal: AbortSignal | undefined
}
