import { migrationScript } from '../postgres/migrator'
import { type PgStashOptions, resolveOptions } from './options'

/**
 * The schema as one SQL script for an empty database.
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function printSchema({ schema, unlogged }: Pick<PgStashOptions, 'schema' | 'unlogged'>): string {
  return migrationScript(resolveOptions({ schema, unlogged }))
}
