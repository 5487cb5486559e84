import { CallTimeoutError, CircuitOpenError, ConnectionError, DatabaseError } from '../../errors'

/** What a standby says to a write, and a primary that is just becoming one: read_only_sql_transaction. */
const readOnly = '25006'

/** The failures that an app may choose to live with: the database is away, or does not write. Everything else is somebody's mistake, and is told. */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.sqlState === readOnly
  return error instanceof ConnectionError || error instanceof CircuitOpenError || error instanceof CallTimeoutError
}
