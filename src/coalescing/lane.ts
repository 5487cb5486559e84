import { now } from '../own-clock'
import type { Address } from './address'
import type { Departing, Departures } from './departures'
import type { FailureKinds } from './failure-kinds'
import { Group, KeyOfGroup, type Receiver } from './group'
import { type BatchLimits, type LaneRules, payloadAt } from './lane-rules'
import type { Located } from './located'
import type { Meter } from './meter'
import type { ProgramOrder } from './program-order'
import { type AnyRequest, type Gate, Request, type Sharer } from './request'

/** Un-awaited calls on one key that share a row. Sets get a version each, and the sequence of versions goes in steps of 64. */
const maxSharers = 64

/** From so many on a crowd is spread over the free flights: otherwise Node waits for the server, then the server for Node. */
const crowdToSplit = 32

/** The requests of one verb on their way. */
export class Lane<Payload, Answer> implements Departing, Gate {
  readonly isRead: boolean
  isAnnounced = false
  #queue: Request<Payload, Answer>[] = []

  readonly #rules: LaneRules<Payload, Answer, unknown>
  readonly #order: ProgramOrder
  readonly #departures: Departures
  readonly #limits: BatchLimits
  readonly #failures: FailureKinds
  readonly meter: Meter

  constructor(
    rules: LaneRules<Payload, Answer, unknown>,
    order: ProgramOrder,
    departures: Departures,
    limits: BatchLimits,
    meter: Meter,
    failures: FailureKinds,
  ) {
    this.meter = meter
    this.#failures = failures
    this.isRead = rules.isRead
    this.#rules = rules
    this.#order = order
    this.#departures = departures
    this.#limits = limits
  }

  get queued(): number {
    return this.#queue.length
  }

  /** Asks about one key, joining a request of the same kind where one waits. */
  ask(address: Address, key: string, sharer: Sharer<Payload, Answer>): void {
    const scope = this.#order.scopeOf(address)
    const newest = this.#rules.isShared ? scope.joinable(key) : undefined
    if (newest instanceof Request && this.#accepts(newest, sharer.payload)) newest.join(sharer)
    else scope.enter(new Request(this, address, scope, key, sharer))
  }

  /**
   * Asks about the keys of one call as one, where nobody is at work on any of them and no key is written twice.
   * @returns false where they have to be asked about one by one
   */
  askTogether(
    address: Address,
    keys: readonly string[],
    payloads: readonly Payload[] | undefined,
    receiver: Receiver<Answer>,
  ): boolean {
    if (keys.length < 2 || this.#rules.isRefused !== undefined) return false
    const scope = this.#order.scopeOf(address)
    if (!scope.isFreeFor(keys, this.isRead)) return false
    const asked = keys.map((key, at) => new KeyOfGroup<Payload, Answer>(address, key, payloadAt(payloads, at), at))
    if (!this.isRead && hasTwins(asked.sort(byKey))) return false
    const common = { rules: this.#rules, meter: this.meter, failures: this.#failures }
    for (const part of this.#partsOf(asked)) this.#departures.announce(new Group(part, scope, receiver, common))
    return true
  }

  /** As many keys each as a statement may hold. */
  #partsOf(keys: KeyOfGroup<Payload, Answer>[]): KeyOfGroup<Payload, Answer>[][] {
    const parts: KeyOfGroup<Payload, Answer>[][] = []
    let from = 0
    let bytes = 0
    for (let at = 0; at < keys.length; at += 1) {
      const own = this.#rules.bytesOf?.((keys[at] as KeyOfGroup<Payload, Answer>).payload) ?? 0
      bytes += own
      if (at === from || (at - from < this.#limits.maxRows && bytes <= this.#limits.maxBytes)) continue
      parts.push(keys.slice(from, at))
      from = at
      bytes = own
    }
    parts.push(from === 0 ? keys : keys.slice(from))
    return parts
  }

  dispatch(request: AnyRequest): void {
    this.#queue.push(request as unknown as Request<Payload, Answer>)
    this.#departures.announce(this)
  }

  depart(freeFlights: number): Promise<void> | undefined {
    const batch = this.#take(freeFlights)
    return batch.length > 0 ? this.#send(batch) : undefined
  }

  /** The next batch. Writes are sorted the same way in every process, so that two batches never wait for each other. */
  #take(freeFlights: number): Request<Payload, Answer>[] {
    const queued = this.#queue.splice(0, this.#rowsThatFit(freeFlights))
    const batch = queued.filter((request) => request.leave() || this.#dismiss(request))
    return this.isRead ? batch : batch.sort(inSharedOrder)
  }

  /** Answers everybody in the batch; never rejects. */
  async #send(batch: readonly Request<Payload, Answer>[]): Promise<void> {
    let results: readonly unknown[]
    const started = now()
    try {
      results = await this.#rules.run(batch)
      this.meter.batch(batch.length, callsOf(batch), now() - started)
    } catch (error) {
      this.meter.batch(batch.length, callsOf(batch), now() - started, error)
      return this.#afterFailure(batch, error)
    }
    for (let at = 0; at < batch.length; at += 1) {
      const request = batch[at] as Request<Payload, Answer>
      if (this.#rules.isRefused?.(results[at]) && request.sharers.length > 1) await this.#sendSharersApart(request)
      else this.#answer(request, results[at])
    }
  }

  /**
   * The statement was rolled back. If the data of one row is to blame, halving finds that row, and then the sharer; the
   * innocent ones are sent again.
   */
  async #afterFailure(batch: readonly Request<Payload, Answer>[], error: unknown): Promise<void> {
    const [first] = batch as [Request<Payload, Answer>]
    if (!this.#failures.isOfOneRow(error)) {
      for (const request of batch) this.#fail(request, error)
    } else if (batch.length > 1) {
      const half = batch.length >> 1
      await this.#send(batch.slice(0, half))
      await this.#send(batch.slice(half))
    } else if (first.sharers.length > 1) await this.#sendSharersApart(first)
    else this.#fail(first, this.#failures.toldOf(error, first))
  }

  /** One after the other, in their order. */
  async #sendSharersApart(request: Request<Payload, Answer>): Promise<void> {
    for (const sharer of request.sharers) {
      const alone = request.aloneFor(sharer)
      try {
        const [result] = await this.#runAlone(alone)
        this.#tell(alone, result)
      } catch (error) {
        sharer.fail(this.#failures.toldOf(error, request))
      }
    }
    request.scope.leave(request)
  }

  async #runAlone(request: Request<Payload, Answer>): Promise<readonly unknown[]> {
    const started = now()
    const results = await this.#rules.run([request])
    this.meter.batch(1, 1, now() - started)
    return results
  }

  #accepts(newest: Request<unknown, unknown>, payload: Payload): boolean {
    if (newest.gate !== this || newest.sharers.length >= maxSharers) return false
    return this.#rules.mayJoin?.(newest as unknown as Request<Payload, Answer>, payload) ?? true
  }

  #rowsThatFit(freeFlights: number): number {
    const rows = Math.min(this.#shareOf(freeFlights), this.#limits.maxRows)
    if (this.#rules.bytesOf === undefined) return rows
    let bytes = 0
    for (let row = 0; row < rows; row += 1) {
      bytes += this.#rules.bytesOf(this.#queued(row).last.payload)
      if (bytes > this.#limits.maxBytes) return Math.max(1, row)
    }
    return rows
  }

  /** What one of the free flights takes of the crowd. The keys of one call stay together. */
  #shareOf(freeFlights: number): number {
    const crowd = this.#queue.length
    if (crowd < crowdToSplit) return crowd
    let share = Math.ceil(crowd / freeFlights)
    while (share < crowd && this.#queued(share).last.call === this.#queued(share - 1).last.call) share += 1
    return share
  }

  #queued(at: number): Request<Payload, Answer> {
    return this.#queue[at] as Request<Payload, Answer>
  }

  #answer(request: Request<Payload, Answer>, result: unknown): void {
    this.#tell(request, result)
    request.scope.leave(request)
  }

  #tell(request: Request<Payload, Answer>, result: unknown): void {
    for (let position = 0; position < request.sharers.length; position += 1) {
      const sharer = request.sharers[position] as Sharer<Payload, Answer>
      try {
        const answer = this.#rules.answer(result, request, position)
        if (this.isRead) this.meter.countHit(this.#rules.isHit?.(answer) ?? answer !== undefined)
        sharer.receive(answer)
      } catch (error) {
        sharer.fail(this.#failures.toldOf(error, request))
      }
    }
  }

  #fail(request: Request<Payload, Answer>, error: unknown): void {
    for (const sharer of request.sharers) sharer.fail(error)
    request.scope.leave(request)
  }

  /** Nobody waits for it: its key's next request may go. */
  #dismiss(request: Request<Payload, Answer>): false {
    request.scope.leave(request)
    return false
  }
}

function callsOf(batch: readonly { readonly sharers: readonly unknown[] }[]): number {
  let calls = 0
  for (const { sharers } of batch) calls += sharers.length
  return calls
}

/** The same in every process; not the order of the index, which is by bytes. */
function inSharedOrder(a: Located, b: Located): number {
  if (a.address.id !== b.address.id) return a.address.id < b.address.id ? -1 : 1
  if (a.key === b.key) return 0
  return a.key < b.key ? -1 : 1
}

/** Those of one namespace, as {@link inSharedOrder}; of two that are the same nobody is first. */
function byKey(a: Located, b: Located): number {
  return a.key < b.key ? -1 : 1
}

/** @param sorted so that two of a key stand side by side */
function hasTwins(sorted: readonly Located[]): boolean {
  for (let at = 1; at < sorted.length; at += 1) if (sorted[at]?.key === sorted[at - 1]?.key) return true
  return false
}
