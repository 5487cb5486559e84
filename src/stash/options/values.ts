import { InvalidArgumentError } from '../../errors'
import { longestTimerMs } from '../../own-clock'

/** @throws {InvalidArgumentError} no name that every script and job takes as it is */
export function schemaName(schema: unknown): string {
  if (typeof schema === 'string' && /^[a-z_][a-z0-9_$]{0,62}$/i.test(schema) && !/^pg_/i.test(schema)) return schema
  throw new InvalidArgumentError(
    'schema',
    'must be a plain name of at most 63 letters, digits, _ and $, not starting with pg_',
    'For example "pgstash".',
  )
}

/** @throws {InvalidArgumentError} */
export function bool(field: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise
  if (typeof value === 'boolean') return value
  throw new InvalidArgumentError(field, 'must be true or false', 'Leave it out for the default.')
}

/**
 * From 1 on.
 * @throws {InvalidArgumentError}
 */
export function count(field: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError(field, 'must be a whole number of at least 1', 'Leave it out for the default.')
}

/**
 * Milliseconds, as {@link count}, and no longer than a timer may take.
 * @throws {InvalidArgumentError}
 */
export function duration(field: string, value: unknown, otherwise: number): number {
  const ms = count(field, value, otherwise)
  if (ms <= longestTimerMs) return ms
  throw new InvalidArgumentError(
    field,
    `must be at most ${longestTimerMs} milliseconds`,
    'Leave it out for the default.',
  )
}

/** @throws {InvalidArgumentError} */
export function oneOf<T extends string | boolean>(
  field: string,
  value: unknown,
  allowed: readonly T[],
  otherwise: T,
): T {
  if (value === undefined) return otherwise
  if (allowed.includes(value as T)) return value as T
  throw new InvalidArgumentError(field, `must be one of ${allowed.join(', ')}`, 'Leave it out for the default.')
}
