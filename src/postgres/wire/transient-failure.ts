import { CallTimeoutError, ConnectionError, DatabaseError, PgStashError, PrivilegeError } from '../../errors'
import { migrateStep } from '../../migrate-step'
import { connectionAdvice } from './connection-advice'
import { NotConnected } from './not-connected'

/**
 * What PostgreSQL says of a session, and never of a statement: a pooler that had let us in passes it on at the first statement, when it fails to log in itself.
 * Nothing was run. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const sessionRefusedStates = new Set([
  '08001', // sqlclient_unable_to_establish_sqlconnection
  '08004', // sqlserver_rejected_establishment_of_sqlconnection
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name: no such database
  '53300', // too_many_connections
  '57P03', // cannot_connect_now
])

/** PgBouncer, where a client that it has let in waits for a server connection in vain. All its own troubles are 08P01. */
const poolerWaitedInVain = /^(query_wait_timeout|pgbouncer cannot connect to server|server login has been failing)/

/** The session is over: class 08 (connection_exception; 08P01 is PgBouncer's for all its own troubles) and the shutdowns (57P01 to 57P05). */
const lostStates = /^(08...|57P0.)$/

/** What a socket says, or TLS upon it, of the connection that it was. */
const socketCodes = /^(E(?!RR_)[A-Z]+|ERR_(STREAM|SSL|TLS|SOCKET)\w*)$/

/** `pg` gives these no code. */
const lostMessages = /^(Connection terminated|Client has encountered a connection error|Client was closed)/

/** A limit of the server's: it ended the statement, or the session, and rolled back. */
const limitStates = new Set([
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
  '55P03', // lock_not_available
  '57014', // query_canceled
])

/** A standby, or a primary that is about to be one: read_only_sql_transaction. */
const readOnlyState = '25006'

const inFailedTransactionState = '25P02'

/** The server rolled the statement back on account of others: once more, as it stands. */
const rolledBackStates = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
])

/** What an isolation above read committed fails with. */
const isolationStates = new Set([
  '40001', // serialization_failure
  '0A000', // feature_not_supported: a standby refuses serializable
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

/** The role lacks a right. */
export const insufficientPrivilege = '42501'

/** no_tenant() of migration "roles": a statement of ours told no tenant where the policies hold for the role. */
const untoldTenantState = 'PGS01'

/** Of `pg`, where an application gave its pool a `query_timeout`; and ours. */
const readTimeoutMessage = 'Query read timeout'

/** The SQLSTATE of an error of either body, undefined for a socket's or anything else's: those have no digit. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error)
  return code !== undefined && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** There was no connection, or it was lost: counts for the circuit breaker. */
export function isConnectionFailure(error: unknown): boolean {
  return error instanceof NotConnected || error instanceof ConnectionError || isLost(error)
}

/** A connection that was had is over. */
export function isLost(error: unknown): boolean {
  if (error instanceof PgStashError) return error instanceof ConnectionError
  const sqlState = sqlStateOf(error)
  if (sqlState === undefined) return socketCodes.test(codeOf(error) ?? '') || lostMessages.test(messageOf(error))
  if (limitStates.has(sqlState)) return false
  return lostStates.test(sqlState) || sessionRefusedStates.has(sqlState) || isFatal(error)
}

/** Worth asking for once more: the connection is another one then, unless it took its time to tell that there is none. */
export function deservesAnotherConnection(error: unknown): boolean {
  return error instanceof NotConnected ? !error.wasSlow : isLost(error)
}

/** The server did not answer in time; it may still be at it, so sending it again would make two. */
export function isReadTimeout(error: unknown): boolean {
  return messageOf(error) === readTimeoutMessage
}

/** What a statement fails with that has no answer in time. */
export function readTimeout(): Error {
  return new Error(readTimeoutMessage)
}

/** The connection was lost before; the statement has not left. */
export function isUnsendable(error: unknown): boolean {
  return /^Client has encountered a connection error/.test(messageOf(error))
}

/** Certainly not applied, and likely to pass now. */
export function isRolledBack(error: unknown): boolean {
  return rolledBackStates.has(codeOf(error) ?? '')
}

/** The server does not write, for now. */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === readOnlyState
}

/** A transaction is open on the connection, and has failed. */
export function isInFailedTransaction(error: unknown): boolean {
  return codeOf(error) === inFailedTransactionState
}

/** What an isolation above read committed fails with, and read committed does not. */
export function isOfIsolation(error: unknown): boolean {
  return isolationStates.has(sqlStateOf(error) ?? '')
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

/** The role may not, or must not: its rights, the policies or the role itself have changed under a running stash, or never were right. */
export function isRoleRefused(error: unknown): boolean {
  const code = codeOf(error)
  return code === insufficientPrivilege || code === untoldTenantState
}

/** The policies hide everything from a statement that names no tenant; it was stopped, so it may be sent again. */
export function isTenantUntold(error: unknown): boolean {
  return codeOf(error) === untoldTenantState
}

/** Two changed one definition at once ("tuple concurrently updated"), or waited for each other. Rolled back, and likely to pass now. */
export function isDefinitionCollision(error: unknown): boolean {
  const code = codeOf(error)
  return (code === 'XX000' && /^tuple concurrently/.test(messageOf(error))) || code === '40001' || code === '40P01'
}

/**
 * The error as a caller sees it.
 * @param schema undefined: what was asked for is in none of ours
 */
export function toPgStashError(error: unknown, timeoutMs: number, schema: string | undefined): PgStashError {
  if (error instanceof PgStashError) return error
  if (error instanceof NotConnected) return notSent(error.cause, timeoutMs)
  if (isReadTimeout(error)) return new CallTimeoutError(timeoutMs, 'unknown', error)
  const sqlState = sqlStateOf(error)
  if (sqlState !== undefined && limitStates.has(sqlState))
    return new CallTimeoutError(timeoutMs, 'rolled-back', error, sqlState)
  if (isLost(error))
    return new ConnectionError(wasRefused(error) ? 'not-sent' : 'unknown', sqlState, error, connectionAdvice(error))
  if (sqlState === insufficientPrivilege) return privilegeError(schema, error)
  return new DatabaseError(sqlState, error)
}

function notSent(cause: unknown, timeoutMs: number): PgStashError {
  if (cause instanceof PgStashError) return cause
  if (isReadTimeout(cause)) return new CallTimeoutError(timeoutMs, 'not-sent', cause)
  return new ConnectionError('not-sent', sqlStateOf(cause), cause, connectionAdvice(cause))
}

/** Told at a statement, and yet before it. */
function wasRefused(error: unknown): boolean {
  return sessionRefusedStates.has(codeOf(error) ?? '') || poolerWaitedInVain.test(messageOf(error))
}

/** The connection ends with it. PostgreSQL translates the word; poolers, which have codes of all classes, do not. */
export function isFatal(error: unknown): boolean {
  const { severity } = error as { severity?: unknown }
  return severity === 'FATAL' || severity === 'PANIC'
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
