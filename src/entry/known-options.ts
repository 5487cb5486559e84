import { InvalidArgumentError } from '../errors'

/**
 * A misspelt option would be none: a limit that does not hold, a session that nobody keeps. Only what is there is looked at, so that options cost
 * nothing where none are given.
 * @param listed what is told of the names where one is not known. Default: all of them
 * @throws {InvalidArgumentError} no object, or with a name that is not known
 */
export function assertKnown(field: string, options: unknown, names: ReadonlySet<string>, listed?: string): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(field, 'must be an object', `Pass { ${[...names].join(', ')} }, or less of it.`)
  }
  // No list of the names is made: a setMany asks for each of its entries.
  for (const name in options) {
    if (names.has(name) || !Object.hasOwn(options, name)) continue
    const known = listed ?? [...names].join(', ')
    throw new InvalidArgumentError(field, `has no ${JSON.stringify(name)}`, `It has ${known}: check the spelling.`)
  }
}
