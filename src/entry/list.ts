import { InvalidArgumentError } from '../errors'

/** @throws {InvalidArgumentError} no array */
export function assertList<T>(field: string, values: readonly T[]): readonly T[] {
  if (Array.isArray(values)) return values
  throw new InvalidArgumentError(field, 'must be an array', 'Pass an array, also for one.')
}
