import releaseLock from '../../../sql/statements/locks/release.sql'
import renewLock from '../../../sql/statements/locks/renew.sql'
import takeLock from '../../../sql/statements/locks/take.sql'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

/** Which lock, and who asks. */
export interface LockClaim {
  readonly tenant: string
  readonly name: string
  /** A number that nobody else has: who asks again, for an answer was lost, is known by it. */
  readonly holder: number
}

/** Somebody holds it: `leftMs` of the lease are left, by the database's clock. */
export interface Refused {
  readonly token: undefined
  readonly leftMs: number
}

export interface Taken {
  /** Greater than that of every earlier holder. */
  readonly token: number
}

export interface Released {
  /** false: it was lost before. */
  readonly wasHeld: boolean
  /** Somebody of another process waits for it, or did a moment ago. */
  readonly isWanted: boolean
}

/** The verbs on locks, each with its statement. None travels with others: they are few, and one may wait for a row. */
export class LockTable {
  readonly #database: StatementRunner
  readonly #take: Statement
  readonly #renew: Statement
  readonly #release: Statement

  constructor(database: StatementRunner, _coalescer: unknown, schema: string) {
    this.#database = database
    this.#take = statementOf(takeLock, schema)
    this.#renew = statementOf(renewLock, schema)
    this.#release = statementOf(releaseLock, schema)
  }

  /** @param isWaiting whether the caller will ask again: whoever releases it is told */
  async take({ tenant, name, holder }: LockClaim, leaseMs: number, isWaiting: boolean): Promise<Taken | Refused> {
    const [row] = await this.#database.write(this.#take, [tenant, name, holder, leaseMs, isWaiting])
    const [token, leftMs] = row as [number | null, number | null]
    return token === null ? { token: undefined, leftMs: leftMs ?? 0 } : { token }
  }

  /** false: somebody else has taken it. */
  async renew({ tenant, name, holder }: LockClaim, token: number, leaseMs: number): Promise<boolean> {
    const [row] = await this.#database.write(this.#renew, [tenant, name, token, holder, leaseMs])
    return row?.[0] === true
  }

  async release({ tenant, name, holder }: LockClaim, token: number): Promise<Released> {
    const [row] = await this.#database.write(this.#release, [tenant, name, token, holder])
    const [wasHeld, isWanted] = row as [boolean, boolean]
    return { wasHeld, isWanted }
  }
}
