import type { Row } from './driver'
import type { Statement } from './statement'

/** What the tables ask through: the database, or the database as one tenant sees it. Rejects with the errors of this package only. */
export interface StatementRunner {
  read(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]>

  /** As `read`. What may have been applied is not sent again. */
  write(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]>
}
