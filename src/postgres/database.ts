import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleWhen, type IPolicy, noop } from 'cockatiel'
import { CircuitOpenError, StashClosedError } from '../errors'
import type { Driver, Row } from './driver'
import type { Migrator } from './migrator'
import type { Statement } from './statement'
import { isConnectionFailure, isRolledBack, isSchemaGone, toPgStashError } from './transient-failure'

export interface DatabaseOptions {
  readonly timeoutMs: number
  readonly autoMigrate: boolean
  /** null: never fail fast. */
  readonly breaker: { readonly failures: number; readonly cooldownMs: number } | null
}

/** Whether a statement that failed so may be sent once more. */
type Retries = (error: unknown) => boolean

/** A driver whose schema is there before the first statement, whose failures are told apart, and which fails fast after repeated ones. */
export class Database {
  readonly #driver: Driver
  readonly #migrator: Migrator
  readonly #options: DatabaseOptions
  readonly #breaker: IPolicy
  #isReady = false
  /** A connection failed since the last success. */
  #isTroubled = false
  #isClosed = false
  #opening: Promise<void> | undefined

  constructor(driver: Driver, migrator: Migrator, options: DatabaseOptions) {
    this.#driver = driver
    this.#migrator = migrator
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

  /** @throws the errors of this package only */
  read(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#run(statement, values, (error) => isRolledBack(error) || isConnectionFailure(error))
  }

  /** As {@link read}. A write whose connection broke is not sent again: it may have been applied. */
  write(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#run(statement, values, isRolledBack)
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
    if (this.#options.autoMigrate) await this.#migrator.migrate()
    else await this.#migrator.requireCurrent()
    this.#isReady = true
  }

  #run(statement: Statement, values: readonly unknown[], deservesAnother: Retries): Promise<readonly Row[]> {
    const send = () => this.#driver.query(statement, values)
    const retry = (error: unknown) => this.#retry(send, error, deservesAnother)
    if (this.#isReady && !this.#isTroubled && !this.#isClosed)
      return send().catch((error: unknown) => this.guard(() => retry(error)))
    return this.#runCarefully(() => send().catch(retry))
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
      if (error instanceof BrokenCircuitError) throw new CircuitOpenError()
      throw toPgStashError(error, this.#options.timeoutMs)
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
