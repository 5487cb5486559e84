import { CallTimeoutError, ConnectionError, DatabaseError, PgStashError, PrivilegeError } from '../errors'
import { migrateStep } from '../migrate-step'

/** No connection was had, so nothing was sent. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const refusedCodes = new Set([
  '08001', // sqlclient_unable_to_establish_sqlconnection
  '08004', // sqlserver_rejected_establishment_of_sqlconnection
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name: no such database
  '53300', // too_many_connections
  '57P03', // cannot_connect_now
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
])

/** The connection broke: what was sent may have been done. */
const lostCodes = new Set([
  '08000', // connection_exception
  '08003', // connection_does_not_exist
  '08006', // connection_failure
  '08P01', // protocol_violation: what PgBouncer says for all its own troubles
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P05', // idle_session_timeout
  'ECONNABORTED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
])

/** The server rolled the statement back on account of others: once more, as it stands. */
const rolledBackStates = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
])

/** A pooler in transaction mode gave us a server connection that does not know our prepared statement, or knows it already. */
const lostStatementStates = new Set([
  '26000', // invalid_sql_statement_name
  '42P05', // duplicate_prepared_statement
])

/** The schema, or something in it, is not there. */
const schemaGoneStates = new Set([
  '3F000', // invalid_schema_name
  '42883', // undefined_function
  '42P01', // undefined_table
])

/** `pg` gives these no code. */
const connectionMessages =
  /^(Connection terminated|The server does not support SSL|timeout (exceeded|expired)|Client has encountered a connection error|Client was closed|Cannot use a pool)/

const readTimeoutMessage = 'Query read timeout'

/** The SQLSTATE of an error of either body, undefined for a socket's or anything else's. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error)
  // EPIPE is the one socket code of that shape.
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && code !== 'EPIPE' ? code : undefined
}

/** No connection, or a lost one: counts for the circuit breaker. */
export function isConnectionFailure(error: unknown): boolean {
  if (error instanceof ConnectionError) return true
  const code = codeOf(error)
  if (code !== undefined && (refusedCodes.has(code) || lostCodes.has(code))) return true
  return connectionMessages.test(messageOf(error))
}

/** The server did not answer in time; it may still be at it, so sending it again would make two. */
export function isReadTimeout(error: unknown): boolean {
  return messageOf(error) === readTimeoutMessage
}

/** Certainly not applied, and likely to pass now. */
export function isRolledBack(error: unknown): boolean {
  return rolledBackStates.has(codeOf(error) ?? '')
}

export function isLostStatement(error: unknown): boolean {
  return lostStatementStates.has(codeOf(error) ?? '')
}

/**
 * The data of some row is the trouble (a constraint, a trigger, a limit), so the other rows of a batch are innocent:
 * classes 22, 23, 44, 54 and P0.
 */
export function isDataFailure(error: unknown): boolean {
  return error instanceof DatabaseError && /^(22|23|44|54|P0)/.test(error.sqlState ?? '')
}

/** The schema went away under a running stash. */
export function isSchemaGone(error: unknown): boolean {
  return schemaGoneStates.has(codeOf(error) ?? '')
}

/** It failed while connecting, so no statement had left. */
function isBeforeSending(error: unknown): boolean {
  return (
    refusedCodes.has(codeOf(error) ?? '') ||
    /^timeout exceeded|due to connection timeout|does not support SSL/.test(messageOf(error))
  )
}

/**
 * The error as a caller sees it.
 * @param schema undefined: what was asked for is in none of ours
 */
export function toPgStashError(error: unknown, timeoutMs: number, schema: string | undefined): PgStashError {
  if (error instanceof PgStashError) return error
  if (isReadTimeout(error)) return new CallTimeoutError(timeoutMs, 'unknown', error)
  const sqlState = sqlStateOf(error)
  if (isConnectionFailure(error))
    return new ConnectionError(isBeforeSending(error) ? 'not-sent' : 'unknown', sqlState, error)
  if (sqlState === '42501') return privilegeError(schema, error)
  return new DatabaseError(sqlState, error)
}

function privilegeError(schema: string | undefined, error: unknown): PrivilegeError {
  if (schema === undefined) return new PrivilegeError('to read the table', 'Connect as a role that may.', error)
  return new PrivilegeError(
    'to use the tables and functions of the schema',
    `As the owner, run "${migrateStep(schema, '--app-role …')}" or stash.grantTo(…): usage on the schema and its sequence, and select, insert, update and delete on its tables.`,
    error,
  )
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
