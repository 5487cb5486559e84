import { CircuitOpenError, StashClosedError } from '../../errors'
import { Breaker, type BreakerOptions } from '../wire/breaker'
import type { Driver, Row } from '../wire/driver'
import type { Statement } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import {
  deservesAnotherConnection,
  isConnectionFailure,
  isReadOnly,
  isRoleRefused,
  isRolledBack,
  isSchemaGone,
  isTenantUntold,
  toPgStashError,
} from '../wire/transient-failure'

export interface DatabaseOptions {
  readonly timeoutMs: number
  readonly breaker: BreakerOptions
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
  readonly #connections: Breaker
  /** Of a server that is read-only: reads go on beside it. */
  readonly #writes: Breaker
  #isReady = false
  #isClosed = false
  #opening: Promise<void> | undefined

  /** @param prepare makes or checks the schema, before the first statement; rejects where it will not do */
  constructor(driver: Driver, prepare: () => Promise<void>, options: DatabaseOptions) {
    this.#driver = driver
    this.#prepare = prepare
    this.#options = options
    this.#connections = new Breaker(options.breaker, isConnectionFailure)
    this.#writes = new Breaker(options.breaker, isReadOnly)
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
    return this.#run(send, (error) => isRolledBack(error) || deservesAnotherConnection(error))
  }

  /** As {@link read}. A write whose connection broke is not sent again: it may have been applied. */
  write(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]> {
    const send = () => this.#driver.query(statement, values, tenant)
    return this.#run(send, isRolledBack, this.#writes)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#driver.close()
  }

  #forgetSchema(): void {
    this.#isReady = false
    this.#opening = undefined
  }

  /** Rights, policies or the role are not what they were at the start, which knows to say what is wrong. */
  #lookAgain(): Promise<void> {
    if (this.#isReady) this.#forgetSchema()
    return this.ready()
  }

  async #open(): Promise<void> {
    await this.#prepare()
    this.#isReady = true
  }

  #run(send: () => Promise<readonly Row[]>, deservesAnother: Retries, breaker?: Breaker): Promise<readonly Row[]> {
    const retry = (error: unknown) => this.#retry(send, error, deservesAnother)
    if (this.#isReady && !this.#isClosed && !this.#connections.isTroubled && !breaker?.isTroubled)
      return send().catch((error: unknown) => this.#afterSending(error, () => retry(error), breaker))
    return this.#runCarefully(() => send().catch(retry), breaker)
  }

  /** What was sent may have been done: if the breaker is open by now, the first error says so, and not that nothing was sent. */
  async #afterSending(
    error: unknown,
    retry: () => Promise<readonly Row[]>,
    breaker: Breaker | undefined,
  ): Promise<readonly Row[]> {
    try {
      return await this.guard(retry, breaker)
    } catch (later) {
      throw later instanceof CircuitOpenError || later instanceof StashClosedError
        ? toPgStashError(error, this.#options.timeoutMs, this.#options.schema)
        : later
    }
  }

  async #runCarefully(run: () => Promise<readonly Row[]>, breaker: Breaker | undefined): Promise<readonly Row[]> {
    if (!this.#isReady) await this.ready()
    return this.guard(run, breaker)
  }

  async #retry(send: () => Promise<readonly Row[]>, error: unknown, deservesAnother: Retries): Promise<readonly Row[]> {
    // The next call looks again, and makes the schema where it may.
    if (isSchemaGone(error)) this.#forgetSchema()
    if (isRoleRefused(error)) await this.#lookAgain()
    if (!deservesAnother(error) && !isTenantUntold(error)) throw error
    return send()
  }

  /**
   * Runs `work` behind the breaker of connections, and another one.
   * @throws the errors of this package only: what `work` rejects with becomes one
   */
  async guard<T>(work: () => Promise<T>, breaker?: Breaker): Promise<T> {
    if (this.#isClosed) throw new StashClosedError()
    const connecting = () => this.#connections.run(work)
    try {
      return await (breaker === undefined ? connecting() : breaker.run(connecting))
    } catch (error) {
      throw toPgStashError(error, this.#options.timeoutMs, this.#options.schema)
    }
  }
}
