import { CallAbortedError, CallTimeoutError } from '../errors'
import { now } from '../own-clock'
import type { Address } from './address'
import type { Deadlines, Waiting } from './deadlines'
import type { Meter } from './meter'

/** What a caller may say about its waiting. */
export interface CallOptions {
  /** Abandons the call: its promise rejects at once, and a write that has not left yet never leaves. Default: none. */
  readonly signal?: AbortSignal | undefined
}

/** One promise that somebody waits for. It settles once: with the answer, an error, its time limit or its signal. */
export class Call<T> implements Waiting {
  older: Waiting | undefined
  newer: Waiting | undefined
  startedAt = 0
  readonly madeAt = now()
  isSettled = false
  /** Settled by its time limit or its signal, not by an answer. */
  isAbandoned = false
  /** Set once something of it travels: from then on a write may be applied though nobody waits. */
  hasLeft = false

  readonly #resolve: (value: T) => void
  readonly #reject: (error: unknown) => void
  readonly #deadlines: Deadlines
  readonly #meter: Meter
  readonly #address: Address
  #stopListening: (() => void) | undefined

  constructor(
    deadlines: Deadlines,
    meter: Meter,
    address: Address,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    signal?: AbortSignal,
  ) {
    this.#deadlines = deadlines
    this.#meter = meter
    this.#address = address
    this.#resolve = resolve
    this.#reject = reject
    deadlines.add(this, this.madeAt)
    if (signal !== undefined) this.listen(signal)
  }

  succeed(value: T): void {
    if (this.#settle(undefined)) this.#resolve(value)
  }

  fail(error: unknown): void {
    if (this.#settle(error)) this.#reject(error)
  }

  /** It came a step further: its time limit begins anew. */
  renew(): void {
    if (!this.isSettled) this.#deadlines.renew(this)
  }

  runOut(timeoutMs: number): void {
    this.abandon(timeoutMs)
  }

  /** Nobody waits any more. What travels goes on, and harms no neighbour. */
  abandon(timeoutMs?: number, cause?: unknown): void {
    this.isAbandoned = !this.isSettled
    const outcome = this.hasLeft ? 'unknown' : 'not-sent'
    this.fail(timeoutMs === undefined ? new CallAbortedError(outcome, cause) : new CallTimeoutError(timeoutMs, outcome))
  }

  #settle(error: unknown): boolean {
    if (this.isSettled) return false
    this.isSettled = true
    this.#stopListening?.()
    this.#meter.end(this.#address, now() - this.madeAt, error)
    this.#deadlines.remove(this)
    return true
  }

  protected listen(signal: AbortSignal): void {
    if (signal.aborted) this.abandon(undefined, signal.reason)
    else this.#stopListening = callsOf(signal).add(this as Call<unknown>)
  }
}

/** The waiting calls of one signal: it gets one listener, however many they are. */
class AbortableCalls {
  readonly #calls = new Set<Call<unknown>>()

  constructor(signal: AbortSignal) {
    const abort = () => {
      for (const call of this.#calls) call.abandon(undefined, signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
  }

  /** @returns takes the call out again */
  add(call: Call<unknown>): () => void {
    this.#calls.add(call)
    return () => this.#calls.delete(call)
  }
}

const abortableCalls = new WeakMap<AbortSignal, AbortableCalls>()

function callsOf(signal: AbortSignal): AbortableCalls {
  const calls = abortableCalls.get(signal) ?? new AbortableCalls(signal)
  abortableCalls.set(signal, calls)
  return calls
}
