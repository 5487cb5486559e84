import { DatabaseError, PgStashError, SchemaTooNewError, UnsafeSearchPathError } from '../../errors'
import { number } from './quantity'

/** `unknown`: it could not be looked at, and `detail` says why. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'unknown'

/** What a check came to. */
export interface Finding {
  readonly status: CheckStatus
  readonly detail: string
  /** What to do about it; undefined: nothing. */
  readonly nextStep: string | undefined
}

export function ok(detail: string): Finding {
  return { status: 'ok', detail, nextStep: undefined }
}

export function warn(detail: string, nextStep: string): Finding {
  return { status: 'warn', detail, nextStep }
}

export function fail(detail: string, nextStep: string): Finding {
  return { status: 'fail', detail, nextStep }
}

export function unknown(detail: string, nextStep?: string): Finding {
  return { status: 'unknown', detail, nextStep }
}

/** The schema, or something of it, is not there; another check says so. */
const goneStates = new Set(['3F000', '42P01', '42883'])

/** What was asked was refused: no reason to fail the others. */
export function refused(error: unknown): Finding {
  if (error instanceof SchemaTooNewError) return tooNew(error)
  if (error instanceof UnsafeSearchPathError) return unsafePath(error)
  if (error instanceof DatabaseError && goneStates.has(error.sqlState ?? '')) return noTables
  if (!(error instanceof PgStashError)) throw error
  if (error.code === 'ERR_PGSTASH_PRIVILEGE')
    return unknown(wordsOf(error), "Ask again as the owner of the tables, or as the application's role.")
  return unknown(error.cause === undefined ? error.message : wordsOf(error))
}

function tooNew({ schema, found, known }: SchemaTooNewError): Finding {
  return fail(
    `${schema} is at migration ${found}, and this version of pgstash knows ${known}`,
    'Upgrade pgstash here, and in all that uses this schema: older versions start on it no more.',
  )
}

/** As which a stash would not start. */
function unsafePath({ first }: UnsafeSearchPathError): Finding {
  return fail(
    `the search_path of the connection names pg_catalog, and ${JSON.stringify(first)} before it: a stash refuses to start`,
    'Leave pg_catalog out of it, or put it first: alter role … set search_path, alter database … set search_path.',
  )
}

/** The server's own. */
function wordsOf({ cause, message }: PgStashError): string {
  return cause instanceof Error && cause.message !== '' ? cause.message : message
}

/** What the tables would tell. */
export const noTables = unknown('the schema is not there, or not current')

/** Between two moments, in words. */
export function minutesAgo(then: number, now: number): string {
  const minutes = Math.round((now - then) / 60_000)
  return minutes < 1 ? 'within the last minute' : `${number(minutes)} ${minutes === 1 ? 'minute' : 'minutes'} ago`
}
