import { CallTimeoutError, CircuitOpenError, ConnectionError } from '../errors'

/** The failures that an app may choose to live with: the database is away. Everything else is somebody's mistake, and is told. */
export function isOutage(error: unknown): boolean {
  return error instanceof ConnectionError || error instanceof CircuitOpenError || error instanceof CallTimeoutError
}
