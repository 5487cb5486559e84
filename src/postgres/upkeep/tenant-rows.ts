import type { SqlFile } from '../../../sql/sql-file'
import countTenantCounters from '../../../sql/statements/upkeep/tenant/count-counters.sql'
import countTenantRows from '../../../sql/statements/upkeep/tenant/count-rows.sql'
import countTenantSessions from '../../../sql/statements/upkeep/tenant/count-sessions.sql'
import deleteTenantCounters from '../../../sql/statements/upkeep/tenant/delete-counters.sql'
import deleteTenantSessions from '../../../sql/statements/upkeep/tenant/delete-sessions.sql'
import forgetTenant from '../../../sql/statements/upkeep/tenant/forget.sql'
import { statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

/** What of a tenant is counted and deleted as a whole. */
export type HeldKind = 'sessions' | 'rate-limits'

const counts: Readonly<Record<HeldKind, SqlFile>> = {
  sessions: countTenantSessions,
  'rate-limits': countTenantCounters,
}
const deletes: Readonly<Record<HeldKind, SqlFile>> = {
  sessions: deleteTenantSessions,
  'rate-limits': deleteTenantCounters,
}

/** So many a statement: a step stays far below the time limit of a call. */
const perStep = 5_000

/** The rows of one tenant, by hand: for the command line, not for an application's everyday work. */
export class TenantRows {
  readonly #database: StatementRunner
  readonly #schema: string
  readonly #tenant: string

  constructor(database: StatementRunner, schema: string, tenant: string) {
    this.#database = database
    this.#schema = schema
    this.#tenant = tenant
  }

  /** @param name the namespace of sessions, or the limiter; null: all */
  async count(kind: HeldKind, name: string | null): Promise<number> {
    const [row] = await this.#database.read(statementOf(counts[kind], this.#schema), [this.#tenant, name])
    return (row as [number])[0]
  }

  /** Answers how many of them were alive. */
  async delete(kind: HeldKind, name: string | null): Promise<number> {
    const statement = statementOf(deletes[kind], this.#schema)
    let total = 0
    for (;;) {
      const [row] = await this.#database.write(statement, [this.#tenant, name, perStep])
      const [gone, alive] = row as [number, number]
      total += alive
      if (gone < perStep) return total
    }
  }

  /** Every row, generations too; nobody may write to the tenant any more. Answers how many there were, generations not counted. */
  async forget(): Promise<number> {
    const [row] = await this.#database.write(statementOf(forgetTenant, this.#schema), [this.#tenant])
    return (row as [number])[0]
  }

  /** Every row, dead ones and generations too. */
  async countAll(): Promise<number> {
    const [row] = await this.#database.read(statementOf(countTenantRows, this.#schema), [this.#tenant])
    return (row as [number])[0]
  }
}
