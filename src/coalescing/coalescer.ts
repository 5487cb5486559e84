import { InvalidArgumentError, StashClosedError } from '../errors'
import type { Address } from './address'
import { Call, type CallOptions } from './call'
import { Deadlines } from './deadlines'
import { Departures } from './departures'
import type { FailureKinds } from './failure-kinds'
import type { Receiver } from './group'
import { Lane } from './lane'
import { type BatchLimits, type Item, type LaneRules, payloadAt } from './lane-rules'
import { type Meter, Meters } from './meter'
import { ProgramOrder } from './program-order'
import type { Sharer } from './request'

export interface CoalescerOptions extends BatchLimits {
  readonly timeoutMs: number
  readonly readsInFlight: number
  readonly writesInFlight: number
  readonly failures: FailureKinds
  /** Runs `work`; the statements that it asks for leave together, where that costs less. */
  readonly together: (work: () => void) => void
  /** Called from time to time while somebody waits, as of {@link Deadlines}. */
  readonly onLook?: (() => void) | undefined
}

/**
 * Concurrent calls of one process travel in one statement. Its rules are those of docs/guide/reasons.md, "The coalescer":
 * program order per key, no bad row harms a neighbour, caps on rows and bytes, a caller may stop waiting at any time.
 */
export class Coalescer {
  readonly #order = new ProgramOrder()
  readonly #deadlines: Deadlines
  readonly #departures: Departures
  readonly #limits: BatchLimits
  readonly #failures: FailureKinds
  readonly meters = new Meters()
  #isClosed = false

  constructor(options: CoalescerOptions) {
    this.#departures = new Departures(options.readsInFlight, options.writesInFlight, options.together)
    this.#deadlines = new Deadlines(options.timeoutMs, () => {
      this.#departures.prod()
      options.onLook?.()
    })
    this.#limits = options
    this.#failures = options.failures
  }

  /** Calls under way. */
  get callsUnderWay(): number {
    return this.#deadlines.size
  }

  lane<Payload, Answer, Result>(rules: LaneRules<Payload, Answer, Result>): Lane<Payload, Answer> {
    const meter = this.meters.of(rules.operation)
    const known = rules as LaneRules<Payload, Answer, unknown>
    return new Lane(known, this.#order, this.#departures, this.#limits, meter, this.#failures)
  }

  /** One key; `translate` makes the caller's answer, and may throw. */
  one<Payload, Answer, T>(
    lane: Lane<Payload, Answer>,
    address: Address,
    item: Item<Payload>,
    translate: (answer: Answer) => T,
    options?: CallOptions,
  ): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StashClosedError())
    const signal = signalOf(options)
    return new Promise<T>((resolve, reject) => {
      const meter = lane.meter
      const call = new OneKeyCall(this.#deadlines, meter, address, resolve, reject, signal, item.payload, translate)
      try {
        if (!call.isSettled) lane.ask(address, item.key, call)
      } catch (error) {
        // Otherwise it would count as under way, and `close()` wait for its time limit.
        call.fail(error)
      }
    })
  }

  /** One key, asked by somebody who hears of the answer before the caller does. */
  watched<Payload, Answer, T>(
    lane: Lane<Payload, Answer>,
    address: Address,
    item: Item<Payload>,
    watch: Watch<Answer, T>,
    options?: CallOptions,
  ): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StashClosedError())
    const signal = signalOf(options)
    return new Promise<T>((resolve, reject) => {
      const { meter } = lane
      const call = new WatchedCall(this.#deadlines, meter, address, resolve, reject, signal, item.payload, watch)
      try {
        if (!call.isSettled) lane.ask(address, item.key, call)
      } catch (error) {
        call.fail(error)
      }
    })
  }

  /**
   * Many keys, answered together, in the order given. Where one fails, the others still go their way, and then the call
   * rejects with the first failure.
   * @param payloads one for each key; undefined in a lane of null
   */
  many<Payload, Answer, T>(
    lane: Lane<Payload, Answer>,
    address: Address,
    keys: readonly string[],
    payloads: readonly Payload[] | undefined,
    translate: (answer: Answer) => T,
    options?: CallOptions,
  ): Promise<T[]> {
    return this.#call<T[]>(lane.meter, address, options, (call) => {
      const answers = new Answers<T, Answer>(keys.length, call, translate)
      if (keys.length === 0) call.succeed([])
      if (lane.askTogether(address, keys, payloads, answers)) return
      for (let at = 0; at < keys.length; at += 1)
        lane.ask(address, keys[at] as string, new KeyOfMany(answers, at, payloadAt(payloads, at)))
    })
  }

  /**
   * Runs `work` after all that was asked about this namespace before, and before all that is asked after. It is given a
   * function to call after each of its steps: the time limit begins anew. Without a name for it, it is part of another call.
   */
  aloneIn<T>(
    operation: string | undefined,
    address: Address,
    work: (onStep: () => void) => Promise<T>,
    options?: CallOptions,
  ): Promise<T> {
    const enter = (guarded: () => Promise<void>) => this.#order.aloneIn(address, guarded)
    const meter = operation === undefined ? this.meters.silent : this.meters.of(operation)
    return this.#alone(meter, address, enter, work, options)
  }

  /** The same for every namespace of a tenant. */
  aloneInTenant<T>(operation: string, address: Address, work: () => Promise<T>, options?: CallOptions): Promise<T> {
    const enter = (guarded: () => Promise<void>) => this.#order.aloneInTenant(address, guarded)
    return this.#alone(this.meters.of(operation), address, enter, work, options)
  }

  /** Refuses new calls, and resolves when those under way are answered. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#deadlines.idle()
  }

  #alone<T>(
    meter: Meter,
    address: Address,
    enter: (work: () => Promise<void>) => Promise<void>,
    work: (onStep: () => void) => Promise<T>,
    options: CallOptions | undefined,
  ): Promise<T> {
    return this.#call<T>(meter, address, options, (call) => {
      enter(async () => {
        if (call.isSettled) return
        call.hasLeft = true
        call.succeed(await work(() => call.renew()))
      }).catch((error: unknown) => call.fail(error))
    })
  }

  #call<T>(meter: Meter, address: Address, options: CallOptions | undefined, ask: (call: Call<T>) => void): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StashClosedError())
    const signal = signalOf(options)
    return new Promise<T>((resolve, reject) => {
      const call = new Call<T>(this.#deadlines, meter, address, resolve, reject, signal)
      try {
        if (!call.isSettled) ask(call)
      } catch (error) {
        call.fail(error)
      }
    })
  }
}

/** @throws {InvalidArgumentError} */
function signalOf(options: CallOptions | undefined): AbortSignal | undefined {
  if (options === undefined || options === null) return undefined
  if (typeof options !== 'object' || options instanceof AbortSignal) {
    const problem = typeof options === 'object' ? 'are an AbortSignal' : 'must be an object'
    throw new InvalidArgumentError('options', problem, 'Pass { signal }.')
  }
  const signal = options.signal ?? undefined
  if (signal === undefined || isSignal(signal)) return signal
  throw new InvalidArgumentError(
    'signal',
    'must be an AbortSignal',
    'Pass the signal of the controller, not the controller.',
  )
}

/** What only inherits from AbortSignal throws when it is asked. */
function isSignal(signal: unknown): signal is AbortSignal {
  try {
    return signal instanceof AbortSignal && typeof signal.aborted === 'boolean'
  } catch {
    return false
  }
}

/** A call on one key: it shares in the key's request itself. */
class OneKeyCall<Payload, Answer, T> extends Call<T> implements Sharer<Payload, Answer> {
  readonly payload: Payload
  readonly #translate: (answer: Answer) => T

  constructor(
    deadlines: Deadlines,
    meter: Meter,
    address: Address,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal | undefined,
    payload: Payload,
    translate: (answer: Answer) => T,
  ) {
    super(deadlines, meter, address, resolve, reject, signal)
    this.payload = payload
    this.#translate = translate
  }

  get call(): Call<unknown> {
    return this as Call<unknown>
  }

  receive(answer: Answer): void {
    this.succeed(this.#translate(answer))
  }
}

/** What somebody who watches a call is told. */
export interface Watch<Answer, T> {
  /** Before it is asked. What is refused at once never begins. */
  begin(): void
  /** While the caller waits. Answers what the caller is told; may throw. */
  answered(answer: Answer): T
  /** Once, last, if it began: it has been answered, or has failed, or nobody waits any more. */
  end(): void
}

class WatchedCall<Payload, Answer, T> extends Call<T> implements Sharer<Payload, Answer> {
  #watch: Watch<Answer, T> | undefined

  constructor(
    deadlines: Deadlines,
    meter: Meter,
    address: Address,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal | undefined,
    readonly payload: Payload,
    watch: Watch<Answer, T>,
  ) {
    super(deadlines, meter, address, resolve, reject)
    this.#watch = watch
    watch.begin()
    // An aborted one fails at once, and the watch ends.
    if (signal !== undefined) this.listen(signal)
  }

  get call(): Call<unknown> {
    return this as Call<unknown>
  }

  receive(answer: Answer): void {
    const watch = this.#watch
    if (watch === undefined) return
    this.succeed(watch.answered(answer))
    this.#end()
  }

  override fail(error: unknown): void {
    super.fail(error)
    this.#end()
  }

  #end(): void {
    this.#watch?.end()
    this.#watch = undefined
  }
}

/** One key of a call on many. */
class KeyOfMany<Payload, Answer, T> implements Sharer<Payload, Answer> {
  readonly #answers: Answers<T, Answer>
  readonly #at: number

  constructor(
    answers: Answers<T, Answer>,
    at: number,
    readonly payload: Payload,
  ) {
    this.#answers = answers
    this.#at = at
  }

  get call(): Call<unknown> {
    return this.#answers.call
  }

  receive(answer: Answer): void {
    this.#answers.receiveAt(this.#at, answer)
  }

  fail(error: unknown): void {
    this.#answers.fail(error)
  }
}

/** The answers to one call on many keys, until the last one is in. */
class Answers<T, Answer> implements Receiver<Answer> {
  readonly #values: T[]
  readonly #call: Call<T[]>
  readonly #translate: (answer: Answer) => T
  #left: number
  #failure: { readonly error: unknown } | undefined

  constructor(size: number, call: Call<T[]>, translate: (answer: Answer) => T) {
    this.#values = new Array<T>(size)
    this.#left = size
    this.#call = call
    this.#translate = translate
  }

  get call(): Call<unknown> {
    return this.#call as Call<unknown>
  }

  receiveAt(at: number, answer: Answer): void {
    this.#values[at] = this.#translate(answer)
    this.#countDown()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#countDown()
  }

  #countDown(): void {
    this.#left -= 1
    if (this.#left > 0) return
    if (this.#failure === undefined) this.#call.succeed(this.#values)
    else this.#call.fail(this.#failure.error)
  }
}
