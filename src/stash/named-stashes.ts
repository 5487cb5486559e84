import { InvalidArgumentError } from '../errors'
import { isStash } from './is-stash'
import type { PgStash } from './pg-stash'

/**
 * One stash, or several: by names of the caller's (`{ main, jobs }`), or in a list, where each goes by its schema. Several get a label `stash` each, or their values could not be
 * told apart.
 */
export type StashesSource = PgStash | Readonly<Record<string, PgStash>> | readonly PgStash[]

export interface NamedStash {
  readonly stash: PgStash
  readonly labels: Readonly<Record<string, string>>
}

/** What a label of several stashes is called. */
const nameLabel = 'stash'

/** What the format says of labels. */
export interface LabelRules {
  /** What it calls them. */
  readonly field: string
  /** Those that the values themselves have. */
  readonly taken: readonly string[]
  /** Why it does not take a name; undefined: it does. */
  problemOf(name: string): string | undefined
}

/**
 * The stashes with the labels that each of their values gets.
 * @throws {InvalidArgumentError} what is no stash, or no label
 */
export function namedStashes(
  source: StashesSource,
  shared: Readonly<Record<string, string>>,
  rules: LabelRules,
): NamedStash[] {
  if (typeof shared !== 'object' || shared === null || Array.isArray(shared)) {
    throw new InvalidArgumentError(rules.field, 'must be an object', 'Pass { app: "shop" }, or nothing.')
  }
  assertLabels(shared, isStash(source) ? rules : { ...rules, taken: [...rules.taken, nameLabel] })
  if (isStash(source)) return [{ stash: source, labels: shared }]
  return named(source).map(([name, stash]) => ({ stash, labels: { ...shared, [nameLabel]: name } }))
}

function named(source: Exclude<StashesSource, PgStash>): [string, PgStash][] {
  const entries = Array.isArray(source) ? bySchema(source.filter(isStash)) : Object.entries(source ?? {})
  const isComplete = !Array.isArray(source) || source.every(isStash)
  if (isComplete && entries.length > 0 && entries.every(([name, stash]) => name !== '' && isStash(stash)))
    return entries
  throw new InvalidArgumentError(
    'stash',
    'is no PgStash, nor some by name',
    'Pass a stash, or { main: stash, jobs: other }.',
  )
}

function bySchema(stashes: readonly PgStash[]): [string, PgStash][] {
  const seen = new Map<string, number>()
  return stashes.map((stash) => {
    const count = (seen.get(stash.schema) ?? 0) + 1
    seen.set(stash.schema, count)
    return [count === 1 ? stash.schema : `${stash.schema}-${count}`, stash]
  })
}

function assertLabels(labels: Readonly<Record<string, string>>, rules: LabelRules): void {
  for (const [name, value] of Object.entries(labels)) {
    const taken = rules.taken.includes(name) ? 'which the values have already' : undefined
    const problem = rules.problemOf(name) ?? taken ?? (typeof value === 'string' ? undefined : 'which is no text')
    if (problem === undefined) continue
    throw new InvalidArgumentError(
      rules.field,
      `has ${JSON.stringify(name)}, ${problem}`,
      'Rename it, or leave it out.',
    )
  }
}
