import { CallAbortedError, CallTimeoutError } from '../errors'
import type { Address } from './address'
import type { Meter } from './meter'

/** What a caller may say about its waiting. */
export interface CallOptions {
  /** Abandons the call: its promise rejects at once, and a write that has not left yet never leaves. */
  readonly signal?: AbortSignal | undefined
}

/**
 * One promise that somebody waits for. It settles once: with the answer, an error, its time limit or its signal.
 * A list of the waiting ones, oldest first, hangs off `older` and `newer` (see {@link Deadlines}).
 */
export class Call<T> {
  older: Call<unknown> | undefined
  newer: Call<unknown> | undefined
  /** When the time limit began, last. */
  startedAt = 0
  readonly madeAt = performance.now()
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
    deadlines.add(this as Call<unknown>)
    if (signal !== undefined) this.#listen(signal)
  }

  succeed(value: T): void {
    if (this.#settle(undefined)) this.#resolve(value)
  }

  fail(error: unknown): void {
    if (this.#settle(error)) this.#reject(error)
  }

  /** It came a step further: its time limit begins anew. */
  renew(): void {
    if (!this.isSettled) this.#deadlines.renew(this as Call<unknown>)
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
    this.#meter.end(this.#address, performance.now() - this.madeAt, error)
    this.#deadlines.remove(this as Call<unknown>)
    return true
  }

  #listen(signal: AbortSignal): void {
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

/** How late a time limit may be noticed. A timer for each call would cost more than the call. */
const maxLatenessMs = 50

/**
 * The waiting calls of a stash, oldest first. All have the same time limit, so one timer looks at the front of the list.
 * It runs only while somebody waits, and never keeps the process alive.
 */
export class Deadlines {
  readonly #timeoutMs: number
  readonly #tickMs: number
  #oldest: Call<unknown> | undefined
  #newest: Call<unknown> | undefined
  #timer: NodeJS.Timeout | undefined
  #onIdle: (() => void) | undefined
  #size = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.#tickMs = Math.max(1, Math.min(maxLatenessMs, timeoutMs / 4))
  }

  /** Calls under way. */
  get size(): number {
    return this.#size
  }

  add(call: Call<unknown>, now = call.madeAt): void {
    this.#size += 1
    call.startedAt = now
    call.older = this.#newest
    if (this.#newest === undefined) this.#oldest = call
    else this.#newest.newer = call
    this.#newest = call
    if (this.#timer === undefined) this.#timer = setTimeout(this.#tick, this.#tickMs).unref()
  }

  remove(call: Call<unknown>): void {
    this.#unlink(call)
    if (this.#oldest === undefined) this.#onIdle?.()
  }

  /** Moves it to the end of the list. */
  renew(call: Call<unknown>): void {
    this.#unlink(call)
    this.add(call, performance.now())
  }

  /** Resolves once nobody waits. */
  idle(): Promise<void> {
    if (this.#oldest === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }

  #unlink(call: Call<unknown>): void {
    this.#size -= 1
    if (call.older === undefined) this.#oldest = call.newer
    else call.older.newer = call.newer
    if (call.newer === undefined) this.#newest = call.older
    else call.newer.older = call.older
    call.older = undefined
    call.newer = undefined
  }

  readonly #tick = (): void => {
    const now = performance.now()
    while (this.#oldest !== undefined && now - this.#oldest.startedAt >= this.#timeoutMs) {
      this.#oldest.abandon(this.#timeoutMs)
    }
    this.#timer = this.#oldest === undefined ? undefined : setTimeout(this.#tick, this.#tickMs).unref()
  }
}
