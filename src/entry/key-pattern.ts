import { InvalidArgumentError } from '../errors'

/** As long as the longest key in the index. At 10,000 characters the expression is too much: PGlite then answers no rows, and no error. */
const maxGlobLength = 1_024

/** A Redis glob, ready for SQL: the literal start of every match, and an anchored PostgreSQL regular expression. */
export interface KeyPattern {
  readonly prefix: string
  readonly expression: string
}

/**
 * Translates a glob as Redis reads it: `*` any run, `?` one character (in Redis one byte), `[abc]`, `[a-c]`, `[^a]` classes, and `\x` for x itself.
 * Source: https://redis.io/docs/latest/commands/keys/ ; an unclosed class runs to the end, as in Redis' `stringmatchlen`.
 * @throws {InvalidArgumentError} longer than 1,024 characters
 */
export function keyPattern(glob: string): KeyPattern {
  if (glob.length > maxGlobLength) {
    throw new InvalidArgumentError(
      'match',
      `takes ${glob.length} characters, the limit is ${maxGlobLength}`,
      'Shorten it, or name the start of the keys by prefix.',
    )
  }
  const special = glob.search(/[*?[\\]/)
  return {
    prefix: special < 0 ? glob : glob.slice(0, special),
    // `***:` and `(?s)`: the advanced syntax, in which a dot matches a newline too.
    expression: `***:(?s)^${translate(Array.from(glob))}$`,
  }
}

function translate(points: readonly string[]): string {
  let expression = ''
  let at = 0
  while (at < points.length) {
    const point = points[at] as string
    at += 1
    if (point === '*') expression += '.*'
    else if (point === '?') expression += '.'
    else if (point === '\\' && at < points.length) expression += literal(points[at++] as string)
    else if (point === '[') {
      const end = classEnd(points, at)
      expression += translateClass(points.slice(at, end))
      at = end + 1
    } else expression += literal(point)
  }
  return expression
}

function classEnd(points: readonly string[], from: number): number {
  for (let at = from; at < points.length; at += 1) {
    if (points[at] === '\\') at += 1
    else if (points[at] === ']') return at
  }
  return points.length
}

/** Members as numbers: nothing in PostgreSQL's brackets (`[:alpha:]`, `[=a=]`) then means anything special. */
function translateClass(points: readonly string[]): string {
  const isNegated = points[0] === '^'
  const members: string[] = []
  for (let at = isNegated ? 1 : 0; at < points.length; at += 1) {
    if (points[at] === '\\' && at + 1 < points.length) at += 1
    const from = points[at] as string
    if (points[at + 1] === '-' && at + 2 < points.length) {
      members.push(range(from, points[at + 2] as string))
      at += 2
    } else members.push(escaped(from))
  }
  if (members.length === 0) return isNegated ? '.' : '(?!)'
  return `[${isNegated ? '^' : ''}${members.join('')}]`
}

/** Redis swaps a range given backwards. */
function range(from: string, to: string): string {
  const [low, high] = from <= to ? [from, to] : [to, from]
  return `${escaped(low)}-${escaped(high)}`
}

function literal(point: string): string {
  return /^[\w:-]$/.test(point) ? point : escaped(point)
}

/**
 * `\Uhhhhhhhh` stands for exactly one character, inside and outside brackets. Beyond ASCII nothing means anything special, and the number would be that of
 * the database's encoding.
 */
function escaped(point: string): string {
  if (point > '\x7f') return point
  return `\\U${(point.codePointAt(0) as number).toString(16).padStart(8, '0')}`
}
