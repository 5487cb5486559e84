import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleWhen, type IPolicy, noop } from 'cockatiel'
import { CircuitOpenError } from '../../errors'

/** null: never fail fast. */
export type BreakerOptions = { readonly failures: number; readonly cooldownMs: number } | null

/** Fails fast after repeated failures of one kind. */
export class Breaker {
  readonly #policy: IPolicy
  readonly #isFailure: (error: unknown) => boolean
  /** Why it is open. */
  #lastFailure: unknown
  #isTroubled = false

  constructor(options: BreakerOptions, isFailure: (error: unknown) => boolean) {
    this.#policy = policyOf(options, isFailure)
    this.#isFailure = isFailure
  }

  /** Something failed since the last success. While all goes well the breaker is not asked: its book-keeping costs a lone call some percent. */
  get isTroubled(): boolean {
    return this.#isTroubled
  }

  /** @throws {CircuitOpenError} instead of running `work`; otherwise what `work` rejects with, unchanged */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return this.#isTroubled ? await this.#watched(work) : await work()
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw new CircuitOpenError(this.#lastFailure)
      await this.#note(error)
      throw error
    }
  }

  async #note(error: unknown): Promise<void> {
    if (!this.#isFailure(error)) return
    this.#lastFailure = error
    if (this.#isTroubled) return
    this.#isTroubled = true
    await this.#watched(() => Promise.reject(error)).catch(() => {})
  }

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    const result = await this.#policy.execute(work)
    this.#isTroubled = false
    return result
  }
}

function policyOf(options: BreakerOptions, isFailure: (error: unknown) => boolean): IPolicy {
  if (options === null) return noop
  return circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: options.cooldownMs,
    breaker: new ConsecutiveBreaker(options.failures),
  })
}
