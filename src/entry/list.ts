import { InvalidArgumentError } from '../errors'

/** @throws {InvalidArgumentError} no array, or one with holes: `map` passes over those, and the answer would have them too */
export function assertList<T>(field: string, values: readonly T[]): readonly T[] {
  if (!Array.isArray(values)) {
    throw new InvalidArgumentError(field, 'must be an array', 'Pass an array, also for one.')
  }
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] === undefined && !(at in values)) {
      throw new InvalidArgumentError(field, `has a hole at ${at}`, 'Fill every place, for example by Array.from().')
    }
  }
  return values
}
