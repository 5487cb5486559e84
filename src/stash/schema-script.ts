import { InvalidArgumentError } from '../errors'
import { migrationScript } from '../postgres/schema/script'
import { resolveOptions } from './options/resolved'
import type { PgStashOptions } from './options/told'

export interface SchemaScriptOptions
  extends Pick<PgStashOptions, 'schema' | 'unlogged' | 'loggedCounters' | 'isolation'> {
  /** The migration the database is at. Default: 0, an empty one. */
  readonly from?: number | undefined
  /** The application's role: the script ends with what it is granted. */
  readonly appRole?: string | undefined
}

/**
 * The schema as one SQL script.
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function printSchema({
  schema,
  unlogged,
  loggedCounters,
  isolation,
  appRole,
  from = 0,
}: SchemaScriptOptions): string {
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new InvalidArgumentError('from', 'must be the number of a migration', 'Pass what SchemaOutdatedError found.')
  }
  return migrationScript({ ...resolveOptions({ schema, unlogged, loggedCounters, isolation }), appRole }, from)
}
