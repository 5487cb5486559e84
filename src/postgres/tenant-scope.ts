import type { Database } from './schema/database'
import type { Row } from './wire/driver'
import type { Statement } from './wire/statement'
import type { StatementRunner } from './wire/statement-runner'

/** The database as one tenant sees it: each statement runs in a transaction in which the policies know that tenant, and no other. */
export class TenantScope implements StatementRunner {
  readonly #database: Database
  readonly #tenant: string

  constructor(database: Database, tenant: string) {
    this.#database = database
    this.#tenant = tenant
  }

  read(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#database.read(statement, values, this.#tenant)
  }

  write(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#database.write(statement, values, this.#tenant)
  }
}
