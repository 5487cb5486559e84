import type { Row } from '../wire/driver'
import type { Statement } from '../wire/statement'

/** What the log asks through: as a `StatementRunner`, and as a tenant where row-level security wants one. */
export interface LogRunner {
  read(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]>
  write(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]>
}

export interface LogOptions {
  readonly schema: string
  /** Whether statements about a tenant's rows have to say whose they are. */
  readonly isScoped: boolean
}
