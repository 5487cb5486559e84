import { createHash } from 'node:crypto'
import { addressOf } from '../../../src/coalescing/address'
import type { LogPage, LogPosition, LogRow, LostRows } from '../../../src/postgres/near/log-page'
import type { Coherence, CoherenceOptions, FoundRow, HoldRules, WriteUnderWay } from '../../../src/stash/near/coherence'
import type { Held, Place } from '../../../src/stash/near/memory'

/*
 * A small world: a database with a log, as many processes as there are clocks, and everything that goes wrong between them. Time is counted in steps of a scheduler, which at each of them
 * lets something happen: somebody asks, a statement begins, commits, is answered, or its answer is lost; a poll is slow, or goes missing; the server crashes; the log is pruned. After each hit the
 * checker looks whether it may have been one.
 */

export const maxStalenessMs = 100
const nearTtl = 400
const rules: HoldRules = { ttl: nearTtl, absentTtl: 200 }

export interface Violations {
  tooStale: number
  ownWriteLost: number
  wentBack: number
}

export interface Played extends Violations {
  hits: number
  fills: number
  drops: { incarnation: number; pruned: number }
}

/** What a namespace, of one tenant, is here. */
interface Spot {
  readonly tenant: string
  readonly namespace: string
}

const spots: readonly Spot[] = [
  { tenant: 'acme', namespace: 'views' },
  { tenant: 'acme', namespace: 'users' },
  { tenant: 'umbrella', namespace: 'views' },
]
const keys = ['a', 'ab', 'b']

const strangeVerbs = ['set', 'set', 'set', 'delete', 'delete', 'clear', 'clearTenant', 'deletePrefix'] as const

/** Of a process, under way at once. */
const mostCalls = 5

/** What a key was, from one moment on. */
interface State {
  /** 0: it was not there. */
  readonly version: number
  readonly since: number
  /** Whether whoever made it told the log. */
  readonly isLogged: boolean
  readonly expiresAt: number
}

interface Entry {
  readonly version: number
  readonly expiresAt: number
}

interface Row extends LogRow {
  readonly xid: number
}

/** What the world needs to know of an implementation of the rules: its constructor. */
export type Rules = new (options: CoherenceOptions) => Coherence

export interface WorldOptions {
  /**
   * Whether calls of a process on one key go to the database in the order in which they were made, as the coalescer has it. Otherwise nobody gives up, and nobody writes
   * past memory: a write that memory does not know of, acknowledged before an earlier one that it knows, would be taken for older than what that one wrote through.
   */
  readonly keepsOrder: boolean
  /** Whether a process waits for the writers that began before the mark. */
  readonly waitsForWriters: boolean
  /** Whether who has waited says so of the mark that it made, and of no later one. */
  readonly knowsMarks: boolean
  /** What a poll may find to be lost. */
  readonly finds: readonly ('pruned' | 'incarnation' | 'xmax')[]
  /** Whether the poll's moment is the one before it was sent. */
  readonly countsFromSending: boolean
  /** Whether rows of one's own are known by who wrote them, whatever is known of them. */
  readonly skipsByOrigin: boolean
  /** Whether a write that was given up acknowledges as of then, or is skipped altogether. */
  readonly skipsAcknowledged: boolean
}

const asItIs: WorldOptions = {
  keepsOrder: true,
  waitsForWriters: true,
  knowsMarks: true,
  finds: ['pruned', 'incarnation', 'xmax'],
  countsFromSending: true,
  skipsByOrigin: false,
  skipsAcknowledged: false,
}

type Verb = 'get' | 'set' | 'delete' | 'clear' | 'clearTenant' | 'deletePrefix'

/** A call on its way. */
interface Op {
  readonly verb: Verb
  readonly spot: number
  readonly key: string
  readonly prefix: string
  readonly ttl: number | null
  readonly nonce: string
  stage: 'called' | 'begun' | 'done'
  /** The caller does not wait any more, or the connection is gone. */
  isGivenUp: boolean
  isAlone: boolean
  tellsLog: boolean
  written: number
  found: FoundRow | undefined
  isTold: boolean
  /** The state that a read saw. */
  foundAt: number
  /** The states that a write made. */
  readonly made: Map<string, number>
  /** Whether this process knows of it, and so has to see it. */
  isPromised: boolean
  /** Of a clear of a tenant: whether the marks of its namespaces go as well, as `pgstash tenant forget` has it. */
  isForgetting: boolean
  /** Whether its outcome is lost: it commits when it likes, with its own nonce. */
  isLost: boolean
  finish: (isAnswered: boolean) => void
}

class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  of<T>(several: readonly T[]): T {
    return several[this.below(several.length)] as T
  }
}

const idOf = (spot: number, key: string) => `${spot}/${key}`
const decimals = (name: string) => createHash('sha256').update(name).digest().readBigInt64BE().toString()
const known = new Map<string, string>()

function digest(name: string): string {
  const found = known.get(name)
  if (found !== undefined) return found
  const made = decimals(name)
  known.set(name, made)
  return made
}

/** The database, and what the checker knows of it. */
class Base {
  now = 1_000
  xid = 100_000
  version = 1
  incarnation = 1
  turns: { readonly id: number; readonly xid: number; readonly at: number }[] = []
  pruned = 0
  log: Row[] = []
  entries = new Map<string, Entry>()
  /** The number of the mark; 0: there is none. */
  marks = spots.map(() => 0)
  /** Whether somebody has waited for those who began before the mark. */
  warm = spots.map(() => false)
  readonly history = new Map<string, State[]>()
  #marks = 0
  /** What a backup of the whole machine brings back. */
  #backup:
    | (Pick<Base, 'log' | 'marks' | 'warm' | 'turns' | 'pruned'> & { readonly entries: Map<string, Entry> })
    | undefined

  constructor() {
    for (const spot of spots.keys()) for (const key of keys) this.history.set(idOf(spot, key), [stateOf(0, 0, true)])
  }

  statesOf(spot: number, key: string): State[] {
    return this.history.get(idOf(spot, key)) as State[]
  }

  live(spot: number, key: string): Entry | undefined {
    const entry = this.entries.get(idOf(spot, key))
    return entry !== undefined && entry.expiresAt > this.now ? entry : undefined
  }

  put(spot: number, key: string, ttl: number | null, isLogged: boolean): number {
    this.version += 1
    const expiresAt = ttl === null ? Number.POSITIVE_INFINITY : this.now + ttl
    this.entries.set(idOf(spot, key), { version: this.version, expiresAt })
    this.#note(spot, key, this.version, isLogged, expiresAt)
    return this.version
  }

  remove(spot: number, key: string, isLogged: boolean): void {
    this.entries.delete(idOf(spot, key))
    this.#note(spot, key, 0, isLogged)
  }

  commit(rows: readonly LogRow[]): void {
    for (const row of rows) this.log.push({ ...row, xid: this.xid })
    this.xid += 1
  }

  position(): LogPosition {
    return { xmax: String(this.xid), xip: [], turn: this.turns.at(-1)?.id ?? 0, incarnation: String(this.incarnation) }
  }

  isMarked(spot: number): boolean {
    return this.marks[spot] !== 0
  }

  mark(spot: number): number {
    this.#marks += 1
    if (!this.isMarked(spot)) this.marks[spot] = this.#marks
    return this.marks[spot] as number
  }

  unmark(spot: number): void {
    this.marks[spot] = 0
    this.warm[spot] = false
  }

  /** As upkeep does, in less time. */
  keep(): void {
    const newest = this.turns.at(-1)
    if (newest === undefined || this.now - newest.at > 30) {
      this.turns.push({ id: (newest?.id ?? 0) + 1, xid: this.xid, at: this.now })
      this.xid += 1
    }
    const old = this.turns.filter(({ at }) => this.now - at > 90).at(-1)
    if (old === undefined || old.id === this.pruned) return
    this.log = this.log.filter(({ xid }) => xid >= old.xid)
    this.pruned = old.id
  }

  crash(losesEntries: boolean): void {
    this.log = []
    this.turns = []
    this.pruned = 0
    this.incarnation += 1
    if (!losesEntries) return
    for (const id of [...this.entries.keys()]) {
      const [spot, key] = id.split('/') as [string, string]
      this.remove(Number(spot), key, true)
    }
  }

  backUp(): void {
    const { entries, log, marks, warm, turns, pruned } = this
    this.#backup = { entries: new Map(entries), log, marks: [...marks], warm: [...warm], turns: [...turns], pruned }
    this.log = [...log]
  }

  /** The machine as it was, its transaction numbers too. */
  restore(): boolean {
    if (this.#backup === undefined) return false
    const { entries, ...rest } = this.#backup
    this.#backup = undefined
    Object.assign(this, rest)
    this.xid -= 10_000
    for (const [spot] of spots.entries())
      for (const key of keys) this.#bringBack(spot, key, entries.get(idOf(spot, key)))
    return true
  }

  #bringBack(spot: number, key: string, entry: Entry | undefined): void {
    if (entry?.version === this.entries.get(idOf(spot, key))?.version) return
    if (entry === undefined) this.remove(spot, key, true)
    else {
      this.entries.set(idOf(spot, key), entry)
      this.#note(spot, key, entry.version, true, entry.expiresAt)
    }
  }

  #note(spot: number, key: string, version: number, isLogged: boolean, expiresAt = Number.POSITIVE_INFINITY): void {
    this.statesOf(spot, key).push(stateOf(version, this.now, isLogged, expiresAt))
  }
}

function stateOf(version: number, since: number, isLogged: boolean, expiresAt = Number.POSITIVE_INFINITY): State {
  return { version, since, isLogged, expiresAt }
}

/** One that holds near. */
class Process {
  readonly coherence: Coherence
  readonly places: readonly Place[]
  readonly ops: Op[] = []
  readonly nonces = new Set<string>()
  readonly acknowledged = new Map<string, number>()
  /** By key: the state that somebody here was answered, and the own write that was acknowledged last. */
  readonly seen = new Map<string, number>()
  readonly own = new Map<string, number>()
  poll: { readonly sentAt: number; readonly since: LogPosition | undefined; page: LogPage | undefined } | undefined
  asleepUntil = 0

  constructor(kind: Rules, base: Base, options: WorldOptions) {
    const acknowledgedAt = (nonce: string) => {
      if (options.skipsByOrigin) return this.nonces.has(nonce) ? 0 : undefined
      const at = this.acknowledged.get(nonce)
      return at !== undefined && options.skipsAcknowledged ? 0 : at
    }
    const bounds = { maxBytes: 2 ** 20, maxEntries: 100 }
    this.coherence = new kind({ ...bounds, maxStalenessMs, now: () => base.now, acknowledgedAt })
    this.places = spots.map(({ tenant, namespace }) => this.coherence.place(addressOf(tenant, namespace)))
  }
}

export class World {
  readonly #random: Random
  readonly #base = new Base()
  readonly #processes: Process[]
  /** Those that ended as well. */
  readonly #all: Process[] = []
  readonly #kind: Rules
  readonly #options: WorldOptions
  readonly violations: Violations = { tooStale: 0, ownWriteLost: 0, wentBack: 0 }
  /** Writers that do not hold near, and began before they could know of a mark. */
  readonly #strangers: Op[] = []
  readonly #warming: {
    readonly process: Process
    readonly spot: number
    readonly mark: number
    readonly behind: readonly Op[]
  }[] = []
  #hits = 0
  #nonces = 0

  constructor(seed: number, kind: Rules, options: Partial<WorldOptions> = {}) {
    this.#random = new Random(seed)
    this.#kind = kind
    this.#options = { ...asItIs, ...options }
    this.#processes = [0, 1, 2].map(() => this.#newProcess())
  }

  play(steps: number): Played {
    for (let step = 0; step < steps; step += 1) this.#step()
    const counts = this.#all.map(({ coherence }) => coherence.counts)
    const sum = (of: (counts: Coherence['counts']) => number) => counts.reduce((total, one) => total + of(one), 0)
    const drops = { incarnation: sum((one) => one.drops.incarnation), pruned: sum((one) => one.drops.pruned) }
    return { ...this.violations, hits: this.#hits, fills: sum((one) => one.fills), drops }
  }

  #step(): void {
    const process = this.#random.of(this.#processes)
    if (this.#random.chance(0.2))
      this.#base.now += this.#random.chance(0.005) ? this.#random.below(300) : this.#random.below(3)
    if (this.#random.chance(0.0008)) this.#calamity()
    if (this.#random.chance(0.001)) this.#unloggedWrite()
    if (this.#random.chance(0.02)) this.#base.keep()
    if (this.#random.chance(0.015)) this.#strange()
    if (process.asleepUntil > this.#base.now) return
    // As a process that is stopped, or whose event loop is blocked.
    if (this.#random.chance(0.001)) process.asleepUntil = this.#base.now + this.#random.below(400)
    if (this.#random.chance(0.0004)) {
      this.#restart(process)
      return
    }
    const dice = this.#random.next()
    if (dice < 0.4 && process.ops.length < mostCalls) this.#ask(process)
    else if (dice < 0.55) this.#poll(process)
    else if (dice < 0.57) this.#mark(process)
    else this.#proceed(process)
  }

  #calamity(): void {
    const dice = this.#random.next()
    if (dice < 0.25) this.#base.backUp()
    else if (dice < 0.5) {
      if (this.#base.restore()) this.#forgetPromises()
    } else {
      this.#base.crash(this.#random.chance(0.5))
      this.#forgetPromises()
    }
  }

  /** What was acknowledged may be gone, and what was seen. */
  #forgetPromises(): void {
    for (const process of this.#processes) {
      process.own.clear()
      process.seen.clear()
      // What is under way is lost with the connections.
      for (const op of [...process.ops]) this.#lose(process, op)
    }
    this.#strangers.length = 0
    this.#warming.length = 0
  }

  /** Its statements may still be at work. */
  #restart(process: Process): void {
    for (const op of process.ops)
      if (op.stage === 'begun' && op.verb !== 'get') this.#strangers.push(Object.assign(op, { isLost: true }))
    this.#processes[this.#processes.indexOf(process)] = this.#newProcess()
  }

  #newProcess(): Process {
    const process = new Process(this.#kind, this.#base, this.#options)
    this.#all.push(process)
    return process
  }

  /** By hand, or by a version of the package that knows no log. */
  #unloggedWrite(): void {
    this.#base.put(this.#random.below(spots.length), this.#random.of(keys), null, false)
    this.#base.commit([])
  }

  /** A writer that holds nothing near. */
  #strange(): void {
    const begun = this.#strangers.findIndex(() => this.#random.chance(0.5))
    if (begun >= 0) {
      const [op] = this.#strangers.splice(begun, 1) as [Op]
      this.#commit(op, op.isLost ? op.nonce : null)
      this.#warm()
      return
    }
    const op = this.#makeOp(this.#random.of(strangeVerbs), () => {})
    op.tellsLog = this.#base.isMarked(op.spot)
    if (op.verb === 'clearTenant') op.tellsLog = true
    op.isForgetting = op.verb === 'clearTenant' && this.#random.chance(0.5)
    this.#strangers.push(op)
  }

  #mark(process: Process): void {
    const spot = this.#random.below(spots.length)
    if (this.#base.warm[spot] || this.#warming.some((one) => one.process === process && one.spot === spot)) return
    const mark = this.#base.mark(spot)
    const others = this.#processes.flatMap(({ ops }) => ops.filter(({ stage }) => stage === 'begun'))
    const behind = this.#options.waitsForWriters ? [...this.#strangers, ...others].filter((op) => !op.tellsLog) : []
    this.#warming.push({ process, spot, mark, behind })
    this.#warm()
  }

  #warm(): void {
    const isUnderWay = (op: Op) =>
      this.#strangers.includes(op) || (op.stage === 'begun' && this.#processes.some(({ ops }) => ops.includes(op)))
    for (const one of [...this.#warming]) {
      if (one.behind.some(isUnderWay)) continue
      this.#warming.splice(this.#warming.indexOf(one), 1)
      if (this.#base.marks[one.spot] === one.mark || !this.#options.knowsMarks) this.#base.warm[one.spot] = true
    }
  }

  #makeOp(verb: Verb, finish: Op['finish']): Op {
    const key = this.#random.of(keys)
    this.#nonces += 1
    return {
      verb,
      spot: this.#random.below(spots.length),
      key,
      prefix: this.#random.of(['a', 'b']),
      ttl: this.#random.chance(0.4) ? 30 + this.#random.below(600) : null,
      nonce: String(this.#nonces),
      stage: 'called',
      isGivenUp: false,
      isAlone: verb === 'clear' || verb === 'clearTenant' || verb === 'deletePrefix',
      tellsLog: false,
      written: 0,
      found: undefined,
      isTold: false,
      foundAt: -1,
      made: new Map(),
      isLost: false,
      isForgetting: false,
      isPromised: false,
      finish,
    }
  }

  #ask(process: Process): void {
    const dice = this.#random.next()
    if (dice < 0.87) this.#get(process)
    else if (dice < 0.95) this.#write(process, 'set')
    else if (dice < 0.98) this.#write(process, 'delete')
    else this.#sweep(process, this.#random.of(['clear', 'clearTenant', 'deletePrefix', 'deletePrefix'] as const))
  }

  #get(process: Process): void {
    const { coherence } = process
    const op = this.#makeOp('get', () => {})
    const place = process.places[op.spot] as Place
    const held = coherence.find(place, op.key, this.#base.now)
    if (held !== undefined) {
      this.#check(process, op, held)
      return
    }
    const read = coherence.beginRead(place, op.key)
    op.finish = (isAnswered) => {
      if (isAnswered) {
        coherence.answered(read, { row: op.found, isTold: op.isTold }, rules)
        raise(process.seen, idOf(op.spot, op.key), op.foundAt)
      }
      coherence.endRead(read)
    }
    process.ops.push(op)
  }

  #write(process: Process, verb: 'set' | 'delete'): void {
    const { coherence } = process
    const op = this.#makeOp(verb, () => {})
    process.nonces.add(op.nonce)
    process.ops.push(op)
    // By a handle that holds nothing near: to memory it is as another process.
    if (this.#options.keepsOrder && this.#random.chance(0.15)) return
    const write: WriteUnderWay = coherence.beginWrite(process.places[op.spot] as Place, op.key)
    op.isPromised = true
    op.finish = (isAnswered) => {
      const row = { format: 't', text: 'x', version: op.written, leftMs: op.ttl }
      if (isAnswered && verb === 'set') coherence.endWrite(write, row, rules)
      else coherence.endWrite(write)
      if (isAnswered) this.#own(process, op)
    }
  }

  #sweep(process: Process, verb: 'clear' | 'clearTenant' | 'deletePrefix'): void {
    const { coherence } = process
    const op = this.#makeOp(verb, () => {})
    const place = process.places[op.spot] as Place
    const epoch = verb === 'clearTenant' ? place.tenantEpoch : place.epoch
    coherence.beginSweep(epoch)
    process.nonces.add(op.nonce)
    op.isPromised = true
    op.finish = (isAnswered) => {
      coherence.endSweep(epoch)
      if (isAnswered) this.#own(process, op)
    }
    process.ops.push(op)
  }

  #own(process: Process, op: Op): void {
    for (const [id, index] of op.made) raise(process.own, id, index)
  }

  /** The keys that it is about. */
  *#covered(op: Op): Generator<[spot: number, key: string]> {
    if (!op.isAlone) return yield [op.spot, op.key]
    const { tenant } = spots[op.spot] as Spot
    for (const [spot, one] of spots.entries()) {
      if (op.verb === 'clearTenant' ? one.tenant !== tenant : spot !== op.spot) continue
      for (const key of keys) if (op.verb !== 'deletePrefix' || key.startsWith(op.prefix)) yield [spot, key]
    }
  }

  #proceed(process: Process): void {
    if (process.ops.length === 0) return
    const op = this.#random.of(process.ops)
    if (op.stage === 'called') {
      if (this.#mayBegin(process, op)) this.#begin(op)
    } else if (op.stage === 'begun') this.#run(process, op)
    else this.#answer(process, op)
  }

  /** Program order: a call waits for those before it that are about the same keys, where either writes. */
  #mayBegin(process: Process, op: Op): boolean {
    if (!this.#options.keepsOrder) return true
    for (const other of process.ops) {
      if (other === op) return true
      if (other.verb === 'get' && op.verb === 'get') continue
      if (this.#touches(other, op)) return false
    }
    return true
  }

  #touches(a: Op, b: Op): boolean {
    if (a.verb === 'clearTenant' || b.verb === 'clearTenant') return spots[a.spot]?.tenant === spots[b.spot]?.tenant
    return a.spot === b.spot && (a.isAlone || b.isAlone || a.key === b.key)
  }

  #begin(op: Op): void {
    op.stage = 'begun'
    op.tellsLog = op.verb === 'clearTenant' || this.#base.isMarked(op.spot)
  }

  #run(process: Process, op: Op): void {
    if (op.verb === 'get') {
      const entry = this.#base.live(op.spot, op.key)
      if (entry !== undefined) {
        const leftMs = entry.expiresAt === Number.POSITIVE_INFINITY ? null : entry.expiresAt - this.#base.now
        op.found = { format: 't', text: 'x', version: entry.version, leftMs }
      }
      op.isTold = this.#base.warm[op.spot] as boolean
      op.foundAt = this.#indexOf(op.spot, op.key, entry?.version ?? 0)
      op.stage = 'done'
    } else if (this.#random.chance(0.03)) {
      // The connection breaks; what was sent may still be applied, now or later.
      op.isLost = true
      if (this.#random.chance(0.7)) this.#strangers.push(op)
      this.#lose(process, op)
    } else {
      this.#commit(op, op.nonce)
      op.stage = 'done'
    }
    this.#warm()
    // The caller gives up; the statement goes on, and is acknowledged.
    if (this.#options.keepsOrder && this.#random.chance(0.02) && !op.isGivenUp && process.ops.includes(op)) {
      op.isGivenUp = true
      op.finish(false)
    }
  }

  #answer(process: Process, op: Op): void {
    process.ops.splice(process.ops.indexOf(op), 1)
    if (op.verb !== 'get') {
      process.acknowledged.set(op.nonce, process.coherence.acknowledge())
    }
    if (!op.isGivenUp) op.finish(true)
  }

  #lose(process: Process, op: Op): void {
    const at = process.ops.indexOf(op)
    if (at >= 0) process.ops.splice(at, 1)
    if (!op.isGivenUp) op.finish(false)
  }

  #commit(op: Op, nonce: string | null): void {
    const { tenant, namespace } = spots[op.spot] as Spot
    const name = `${tenant}\0${namespace}`
    if (op.verb === 'set') op.written = this.#base.put(op.spot, op.key, op.ttl, true)
    else for (const [spot, key] of this.#covered(op)) this.#base.remove(spot, key, true)
    for (const [spot, key] of this.#covered(op)) op.made.set(idOf(spot, key), this.#base.statesOf(spot, key).length - 1)
    const row = (kind: LogRow['kind'], named: string): LogRow => ({ kind, nonce, digests: [digest(named)] })
    const rowOf = () => {
      if (op.verb === 'clearTenant') return row('t', tenant)
      return op.isAlone ? row('n', name) : row('k', `${name}\0${op.key}`)
    }
    this.#base.commit(op.tellsLog ? [rowOf()] : [])
    if (!op.isForgetting) return
    for (const [spot, one] of spots.entries()) if (one.tenant === tenant) this.#base.unmark(spot)
  }

  #poll(process: Process): void {
    const { coherence } = process
    const { poll } = process
    if (poll === undefined) process.poll = { sentAt: this.#base.now, since: coherence.position, page: undefined }
    else if (this.#random.chance(0.03)) process.poll = undefined
    else if (poll.page === undefined) poll.page = this.pageSince(poll.since)
    else {
      process.poll = undefined
      coherence.apply(poll.page, this.#options.countsFromSending ? poll.sentAt : this.#base.now)
    }
  }

  pageSince(since: LogPosition | undefined): LogPage {
    const { log, pruned } = this.#base
    const position = this.#base.position()
    const rows = since === undefined ? [] : log.filter(({ xid }) => xid >= Number(since.xmax))
    return { rows, position, pruned, lost: since && this.#lostSince(since, position) }
  }

  /** As a poll decides it. */
  #lostSince(since: LogPosition, { incarnation, xmax }: LogPosition): LostRows | undefined {
    const { finds } = this.#options
    if (finds.includes('incarnation') && incarnation !== since.incarnation) return 'incarnation'
    if (finds.includes('xmax') && Number(xmax) < Number(since.xmax)) return 'incarnation'
    return finds.includes('pruned') && this.#base.pruned > since.turn ? 'pruned' : undefined
  }

  #check(process: Process, op: Op, held: Held): void {
    this.#hits += 1
    const { spot, key } = op
    const states = this.#base.statesOf(spot, key)
    const index = this.#indexOf(spot, key, held.version)
    if (this.#isTooStale(states, index, held.version)) this.violations.tooStale += 1
    const isBeingWritten = process.ops.some(
      (other) =>
        other.isPromised &&
        !other.isGivenUp &&
        [...this.#covered(other)].some((one) => idOf(...one) === idOf(spot, key)),
    )
    if (isBeingWritten || index < (process.own.get(idOf(spot, key)) ?? -1)) this.violations.ownWriteLost += 1
    if (index < (process.seen.get(idOf(spot, key)) ?? -1)) this.violations.wentBack += 1
    raise(process.seen, idOf(spot, key), index)
  }

  /** An expiry is kept to the millisecond; what did not tell the log is bounded by the ttl. */
  #isTooStale(states: readonly State[], index: number, version: number): boolean {
    const { now } = this.#base
    const state = states[index] as State
    if (version !== 0 && now >= state.expiresAt) return true
    const boundOf = ({ isLogged }: State) => (isLogged ? maxStalenessMs : nearTtl + maxStalenessMs)
    return states.slice(index + 1).some((later) => now - later.since > boundOf(later))
  }

  /** The last time that the key had this version, or was not there. */
  #indexOf(spot: number, key: string, version: number): number {
    const isAbsent = (state: State) => version === 0 && state.expiresAt <= this.#base.now
    return this.#base.statesOf(spot, key).findLastIndex((state) => state.version === version || isAbsent(state))
  }
}

function raise(map: Map<string, number>, id: string, index: number): void {
  if (index > (map.get(id) ?? -1)) map.set(id, index)
}
