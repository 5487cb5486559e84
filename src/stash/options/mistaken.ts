import { InvalidArgumentError } from '../../errors'

/** Says "this is a PgStash" also of one made by another copy of this package (import beside require). */
export const stashBrand = Symbol.for('pgstash.PgStash')

type Members = Readonly<Record<string, unknown>>

/** What stands in the place of options most often, and what to write; the first that fits. */
const mistakes: readonly [is: (given: Members) => boolean, what: string, next: string][] = [
  [isStash, 'are a PgStash', 'Pass { stash }, or use the stash as it is.'],
  [has('then'), 'are a promise', 'Await it first.'],
  [has('query', 'exec', 'transaction'), 'are a PGlite', 'Pass { pglite }.'],
  [
    (given) => has('connect', 'query')(given) && 'connectionParameters' in given,
    'are a pg.Client',
    'Pass { pool: new pg.Pool(…) }, or the connection string.',
  ],
  [has('connect', 'query'), 'are a pg.Pool', 'Pass { pool }.'],
  [(given) => given instanceof URL, 'are a URL', 'Pass its text: url.href.'],
  [has('get', 'set'), 'are a cache, a store or a map', 'Pass the connection string, { pool } or { pglite }.'],
]

/**
 * @param field what the caller calls them
 * @throws {InvalidArgumentError} not an object of options: says what it is, where that is known, and what to write
 */
export function assertOptions(field: string, given: unknown): asserts given is object {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidArgumentError(
      field,
      'must be a connection string or an object',
      'Pass { connectionString }, { pool } or { pglite }.',
    )
  }
  const mistake = mistakes.find(([is]) => is(given as Members))
  if (mistake !== undefined) throw new InvalidArgumentError(field, mistake[1], mistake[2])
}

/** Also for a stash of another copy of this package. */
function isStash(given: object): boolean {
  return stashBrand in given
}

function has(...methods: string[]): (given: Members) => boolean {
  return (given) => methods.every((name) => typeof given[name] === 'function')
}
