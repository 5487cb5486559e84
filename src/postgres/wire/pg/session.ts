import type { Deadlines, Waiting } from '../../../coalescing/deadlines'
import { OpenTransactionError } from '../../../errors'
import { now } from '../../../own-clock'
import type { Row } from '../driver'
import { NotConnected } from '../not-connected'
import type { Statement } from '../statement'
import { isInFailedTransaction, isUnsendable, readTimeout, sqlStateOf } from '../transient-failure'
import { giveUp } from './lease'
import { hasOpenTransaction } from './open-transaction'
import type { LeasedClient, PgClient, PgQueryConfig } from './pool'
import { parserOf } from './submittable'
import { isOpen, statusOf } from './transaction-status'

/** Ours, per query: an application's `pg.types.setTypeParser` changes nothing here, nor we there. */
const types = { getTypeParser: (oid: number) => parserOf(oid) ?? ((text: string) => text) }

/** A client that is ours for a while, for several statements; it gets configs, which every client takes. */
export class PgSession {
  readonly #client: PgClient
  readonly #limits: Deadlines
  /** What the connection was lost by, between two statements: the client says of the next one only that it cannot be sent. */
  #lostBy: Error | undefined
  readonly #onLost = (error?: Error): void => {
    this.#lostBy ??= error
  }

  constructor(client: PgClient, limits: Deadlines) {
    this.#client = client
    this.#limits = limits
    // A connection lost while it is ours is told twice: by the query, and by this event, which nobody else listens to.
    client.on('error', this.#onLost)
  }

  async query(statement: Statement, values: readonly unknown[], isNamed: boolean): Promise<readonly Row[]> {
    const config = this.#config(statement.text, values)
    return rowsOf(await this.#ask(isNamed ? { ...config, name: statement.name } : config))
  }

  async script(text: string): Promise<void> {
    await this.#ask({ text })
  }

  /**
   * One statement by itself.
   * @throws {OpenTransactionError} it ran in somebody's transaction
   */
  async queryAlone(statement: Statement, values: readonly unknown[], isNamed: boolean): Promise<readonly Row[]> {
    const before = statusOf(this.#leased)
    if (isOpen(before)) throw new OpenTransactionError()
    try {
      const rows = await this.query(statement, values, isNamed)
      if (await this.hasOpenTransaction()) throw new OpenTransactionError()
      return rows
    } catch (error) {
      // In somebody's transaction what failed may have failed on its account.
      const isBlameless = before !== undefined || sqlStateOf(error) === undefined
      if (isInFailedTransaction(error) || (!isBlameless && (await this.hasOpenTransaction().catch(() => false))))
        throw new OpenTransactionError(error)
      throw error
    }
  }

  hasOpenTransaction(): Promise<boolean> {
    return hasOpenTransaction(this.#leased, async (text) => {
      const [row] = rowsOf(await this.#ask(this.#config(text)))
      return row?.[0]
    })
  }

  /**
   * Where it throws, the client has been given up.
   * @throws {NotConnected} it could not be asked
   * @throws {OpenTransactionError} somebody's transaction is open
   */
  async assertOutsideTransactions(): Promise<void> {
    let reason: NotConnected | OpenTransactionError | undefined
    try {
      if (await this.hasOpenTransaction()) reason = new OpenTransactionError()
    } catch (error) {
      reason = new NotConnected(error)
    }
    if (reason === undefined) return
    await this.release(reason)
    throw reason
  }

  /** @param reason to give the connection up; undefined: it goes back to the pool */
  async release(reason: Error | undefined): Promise<void> {
    this.#client.removeListener('error', this.#onLost)
    const release = (error?: Error) => this.#client.release(error)
    if (reason instanceof OpenTransactionError) await giveUp(this.#leased, release, reason)
    else release(reason)
  }

  /** Fails as a limit of `pg` does, after which the connection is to be given up. */
  #ask(config: PgQueryConfig): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const limit = new Limit(this.#limits, reject)
      const asking = async () => this.#client.query(config)
      asking()
        .finally(() => limit.end())
        .then(resolve, (error: unknown) => reject(isUnsendable(error) ? (this.#lostBy ?? error) : error))
    })
  }

  get #leased(): LeasedClient {
    return this.#client as unknown as LeasedClient
  }

  /** Without values it goes out as a simple query. */
  #config(text: string, values?: readonly unknown[]): PgQueryConfig {
    const config: PgQueryConfig = { text, rowMode: 'array', types }
    return values === undefined ? config : { ...config, values: values as unknown[] }
  }
}

/** Of one statement. */
class Limit implements Waiting {
  older: Waiting | undefined
  newer: Waiting | undefined
  startedAt = 0
  readonly #limits: Deadlines
  readonly #reject: (error: Error) => void
  #isOver = false

  constructor(limits: Deadlines, reject: (error: Error) => void) {
    this.#limits = limits
    this.#reject = reject
    limits.add(this, now())
  }

  runOut(): void {
    this.end()
    this.#reject(readTimeout())
  }

  end(): void {
    if (!this.#isOver) this.#limits.remove(this)
    this.#isOver = true
  }
}

function rowsOf(result: unknown): readonly Row[] {
  return (result as { rows: Row[] }).rows
}
