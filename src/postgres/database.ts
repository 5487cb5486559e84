import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleWhen, type IPolicy, noop } from 'cockatiel'
import { CircuitOpenError, StashClosedError } from '../errors'
import type { Driver, Row } from './driver'
import type { Statement } from './statement'
import type { StatementRunner } from './statement-runner'
import { isConnectionFailure, isRolledBack, isSchemaGone, toPgStashError } from './transient-failure'

export interface DatabaseOptions {
  readonly timeoutMs: number
  /** null: never fail fast. */
  readonly breaker: { readonly failures: number; readonly cooldownMs: number } | null
  /** For next steps; undefined: the tables are somebody else's. */
  readonly schema: string | undefined
}

/** Whether a statement that failed so may be sent once more. */
type Retries = (error: unknown) => boolean

/** A driver whose schema is there before the first statement, whose failures are told apart, and which fails fast after repeated ones. */
export class Database implements StatementRunner {
  readonly #driver: Driver
  readonly #prepare: () => Promise<void>
  readonly #options: DatabaseOptions
  readonly #breaker: IPolicy
  #isReady = false
  /** A connection failed since the last success. */
  #isTroubled = false
  #isClosed = false
  /** Of a connection: why the breaker is open. */
  #lastFailure: unknown
  #opening: Promise<void> | undefined

  /** @param prepare makes or checks the schema, before the first statement; rejects where it will not do */
  constructor(driver: Driver, prepare: () => Promise<void>, options: DatabaseOptions) {
    this.#driver = driver
    this.#prepare = prepare
    this.#options = options
    this.#breaker = breakerOf(options.breaker)
  }

  /** Connects and checks or makes the schema, once. A failure is not kept: the next call tries again. */
  ready(): Promise<void> {
    if (this.#isClosed) return Promise.reject(new StashClosedError())
    this.#opening ??= this.guard(() => this.#open()).catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  /**
   * @param tenant whose rows the policies show; undefined where there are none
   * @throws the errors of this package only
   */
  read(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    const send = () => this.#driver.query(statement, values, tenant)
    return this.#run(send, (error) => isRolledBack(error) || isConnectionFailure(error))
  }

  /** As {@link read}. A write whose connection broke is not sent again: it may have been applied. */
  write(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    return this.#run(() => this.#driver.query(statement, values, tenant), isRolledBack)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#driver.close()
  }

  #forgetSchema(): void {
    this.#isReady = false
    this.#opening = undefined
  }

  async #open(): Promise<void> {
    await this.#prepare()
    this.#isReady = true
  }

  #run(send: () => Promise<readonly Row[]>, deservesAnother: Retries): Promise<readonly Row[]> {
    const retry = (error: unknown) => this.#retry(send, error, deservesAnother)
    if (this.#isReady && !this.#isTroubled && !this.#isClosed)
      return send().catch((error: unknown) => this.#afterSending(error, () => retry(error)))
    return this.#runCarefully(() => send().catch(retry))
  }

  /** What was sent may have been done: if the breaker is open by now, the first error says so, and not that nothing was sent. */
  async #afterSending(error: unknown, retry: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
    try {
      return await this.guard(retry)
    } catch (later) {
      throw later instanceof CircuitOpenError || later instanceof StashClosedError
        ? toPgStashError(error, this.#options.timeoutMs, this.#options.schema)
        : later
    }
  }

  async #runCarefully(run: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
    if (!this.#isReady) await this.ready()
    return this.guard(run)
  }

  async #retry(send: () => Promise<readonly Row[]>, error: unknown, deservesAnother: Retries): Promise<readonly Row[]> {
    // The next call looks again, and makes the schema where it may.
    if (isSchemaGone(error)) this.#forgetSchema()
    if (!deservesAnother(error)) throw error
    return send()
  }

  /** Runs `work` behind the breaker; what it rejects with becomes an error of this package. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StashClosedError()
    try {
      return this.#isTroubled ? await this.#throughBreaker(work) : await work()
    } catch (error) {
      // While all goes well the breaker is not asked: its book-keeping costs a lone call some percent.
      if (!this.#isTroubled && isConnectionFailure(error)) {
        this.#isTroubled = true
        await this.#throughBreaker(() => Promise.reject(error)).catch(() => {})
      }
      if (error instanceof BrokenCircuitError) throw new CircuitOpenError(this.#lastFailure)
      if (isConnectionFailure(error)) this.#lastFailure = error
      throw toPgStashError(error, this.#options.timeoutMs, this.#options.schema)
    }
  }

  async #throughBreaker<T>(work: () => Promise<T>): Promise<T> {
    const result = await this.#breaker.execute(work)
    this.#isTroubled = false
    return result
  }
}

function breakerOf(options: DatabaseOptions['breaker']): IPolicy {
  if (options === null) return noop
  return circuitBreaker(handleWhen(isConnectionFailure), {
    halfOpenAfter: options.cooldownMs,
    breaker: new ConsecutiveBreaker(options.failures),
  })
}
