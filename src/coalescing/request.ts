import type { Address } from './address'
import type { Call } from './call'
import type { Located } from './located'
import type { OrderedKey } from './order/ordered'
import type { Scope } from './order/scope'

/** Someone who shares in a request: what it asked, and whom to answer. */
export interface Sharer<Payload, Answer> {
  readonly payload: Payload
  readonly call: Call<unknown>
  receive(answer: Answer): void
  fail(error: unknown): void
}

/** One key of a statement, with who asked what about it. */
export interface Asked<Payload, Answer> extends Located {
  /** Never empty. */
  readonly sharers: readonly Sharer<Payload, Answer>[]
  readonly first: { readonly payload: Payload }
  readonly last: { readonly payload: Payload }
}

/** Where a request leaves from: the lane of its verb. */
export interface Gate {
  readonly isRead: boolean
  dispatch(request: AnyRequest): void
}

/** What is asked of the database about one key. Calls that ask the same before it leaves share it, in their order. */
export class Request<Payload, Answer> implements OrderedKey, Asked<Payload, Answer> {
  #sharers: Sharer<Payload, Answer>[]
  hasLeft = false

  constructor(
    readonly gate: Gate,
    readonly address: Address,
    readonly scope: Scope,
    readonly key: string,
    sharer: Sharer<Payload, Answer>,
  ) {
    this.#sharers = [sharer]
  }

  get isRead(): boolean {
    return this.gate.isRead
  }

  /** Never empty once it has left. */
  get sharers(): readonly Sharer<Payload, Answer>[] {
    return this.#sharers
  }

  get first(): Sharer<Payload, Answer> {
    return this.#sharers[0] as Sharer<Payload, Answer>
  }

  get last(): Sharer<Payload, Answer> {
    return this.#sharers[this.#sharers.length - 1] as Sharer<Payload, Answer>
  }

  /** Called by the program order when its turn has come. */
  dispatch(): void {
    this.gate.dispatch(this as unknown as AnyRequest)
  }

  /** The same for one of its sharers: to be sent by itself, where together they failed. */
  aloneFor(sharer: Sharer<Payload, Answer>): Request<Payload, Answer> {
    const alone = new Request(this.gate, this.address, this.scope, this.key, sharer)
    alone.leave()
    return alone
  }

  join(sharer: Sharer<Payload, Answer>): void {
    this.#sharers.push(sharer)
  }

  /**
   * Leaves with those who still wait: what somebody abandoned before this moment is not sent.
   * @returns false when nobody waits, and it need not leave
   */
  leave(): boolean {
    this.hasLeft = true
    if (this.#sharers.some(({ call }) => call.isSettled)) {
      this.#sharers = this.#sharers.filter(({ call }) => !call.isSettled)
    }
    for (const { call } of this.#sharers) call.hasLeft = true
    return this.#sharers.length > 0
  }
}

/** A request to whose holder its types do not matter. */
export type AnyRequest = Request<unknown, unknown>
