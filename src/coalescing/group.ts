import { now } from '../own-clock'
import type { Address } from './address'
import type { Call } from './call'
import type { Departing } from './departures'
import type { FailureKinds } from './failure-kinds'
import type { LaneRules } from './lane-rules'
import type { Meter } from './meter'
import type { KeysTogether } from './order/keys-together'
import type { Ordered } from './order/ordered'
import type { Scope } from './order/scope'
import type { Asked, Sharer } from './request'

/** How many share a key of a group, and nothing more. Verbs that look at who shares have no call on many keys. */
const onlyItself = Object.freeze([undefined]) as unknown as readonly never[]

/** One key of a group: it is its own and only sharer. */
export class KeyOfGroup<Payload, Answer> implements Asked<Payload, Answer> {
  constructor(
    readonly address: Address,
    readonly key: string,
    readonly payload: Payload,
    /** Where the caller named it. */
    readonly at: number,
  ) {}

  get sharers(): readonly Sharer<Payload, Answer>[] {
    return onlyItself
  }

  get first(): this {
    return this
  }

  get last(): this {
    return this
  }
}

/** Who asked about many keys at once. */
export interface Receiver<Answer> {
  readonly call: Call<unknown>
  receiveAt(at: number, answer: Answer): void
  fail(error: unknown): void
}

/** What groups of one verb have in common. */
export interface GroupRules<Payload, Answer> {
  readonly rules: LaneRules<Payload, Answer, unknown>
  readonly meter: Meter
  readonly failures: FailureKinds
}

/**
 * Keys of one call that nobody else is at work on, travelling as one: no promise, no request and no place in a queue for each of them. (A getMany of 100 keys took
 * 354 us of CPU in Node with a request for each, and 291 like this: one caller, PostgreSQL 15, medians of four.)
 */
export class Group<Payload, Answer> implements Departing, Ordered {
  readonly isRead: boolean
  isAnnounced = false
  hasLeft = false
  readonly #keys: readonly KeyOfGroup<Payload, Answer>[]
  #left: number
  readonly #scope: Scope
  readonly #together: KeysTogether
  readonly #receiver: Receiver<Answer>
  readonly #common: GroupRules<Payload, Answer>

  /** @param keys of writes: each once, in the order all processes share */
  constructor(
    keys: readonly KeyOfGroup<Payload, Answer>[],
    scope: Scope,
    receiver: Receiver<Answer>,
    common: GroupRules<Payload, Answer>,
  ) {
    this.isRead = common.rules.isRead
    this.#keys = keys
    this.#left = keys.length
    this.#scope = scope
    this.#receiver = receiver
    this.#common = common
    this.#together = scope.takeTogether(keys, this)
  }

  get queued(): number {
    return this.hasLeft ? 0 : this.#keys.length
  }

  depart(): Promise<void> | undefined {
    this.hasLeft = true
    const { call } = this.#receiver
    if (call.isSettled) {
      this.#leave()
      return undefined
    }
    call.hasLeft = true
    return this.#send(this.#keys)
  }

  /** The last key has been answered: at once, so that whoever was told finds the keys free. */
  #countDown(): void {
    this.#left -= 1
    if (this.#left === 0) this.#leave()
  }

  #fail(error: unknown): void {
    this.#receiver.fail(error)
    this.#countDown()
  }

  #leave(): void {
    this.#scope.doneTogether(this.#together)
  }

  /** Answers for every key; never rejects. */
  async #send(keys: readonly KeyOfGroup<Payload, Answer>[]): Promise<void> {
    const { rules, meter } = this.#common
    const started = now()
    let results: readonly unknown[]
    try {
      results = await rules.run(keys)
      meter.batch(keys.length, keys.length, now() - started)
    } catch (error) {
      meter.batch(keys.length, keys.length, now() - started, error)
      return this.#afterFailure(keys, error)
    }
    for (let row = 0; row < keys.length; row += 1) this.#tell(keys[row] as KeyOfGroup<Payload, Answer>, results[row])
  }

  /** The statement was rolled back; as in a lane, halving finds the row that is to blame, and the others are sent again. */
  async #afterFailure(keys: readonly KeyOfGroup<Payload, Answer>[], error: unknown): Promise<void> {
    const { failures } = this.#common
    if (!failures.isOfOneRow(error)) {
      for (const _ of keys) this.#fail(error)
    } else if (keys.length > 1) {
      const half = keys.length >> 1
      await this.#send(keys.slice(0, half))
      await this.#send(keys.slice(half))
    } else this.#fail(failures.toldOf(error, keys[0] as KeyOfGroup<Payload, Answer>))
  }

  #tell(key: KeyOfGroup<Payload, Answer>, result: unknown): void {
    const { rules, meter, failures } = this.#common
    try {
      const answer = rules.answer(result, key, 0)
      if (this.isRead) meter.countHit(rules.isHit?.(answer) ?? answer !== undefined)
      this.#receiver.receiveAt(key.at, answer)
    } catch (error) {
      this.#fail(failures.toldOf(error, key))
      return
    }
    this.#countDown()
  }
}
