import fc from 'fast-check'
import type { World } from './world'

/** An argument: made anew for every call, since getters throw and promises settle, and told by its label, since many cannot be printed. */
export interface Recipe {
  readonly label: string
  make(world: World): unknown
  [fc.toStringMethod](): string
}

export function recipe(label: string, make: (world: World) => unknown): Recipe {
  return { label, make, [fc.toStringMethod]: () => label }
}

/** One of these, each by its label. */
export function oneOf(makers: Readonly<Record<string, (world: World) => unknown>>): fc.Arbitrary<Recipe> {
  return fc.constantFrom(...Object.entries(makers).map(([label, make]) => recipe(label, make)))
}

/** Plain data. */
export function plain(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Recipe> {
  return arbitrary.map((value) => recipe(short(fc.stringify(value)), () => value))
}

export function among(...values: unknown[]): fc.Arbitrary<Recipe> {
  return plain(fc.constantFrom(...values))
}

/** An object with some of the fields, and all that are required. */
export function objectOf(
  fields: Readonly<Record<string, fc.Arbitrary<Recipe>>>,
  requiredKeys: string[] = [],
): fc.Arbitrary<Recipe> {
  return fc.record(fields, { requiredKeys }).map((given) => {
    const made = Object.entries(given) as [string, Recipe][]
    const label = made.map(([name, { label }]) => `${name}: ${label}`).join(', ')
    return recipe(`{ ${label} }`, (world) => Object.fromEntries(made.map(([name, { make }]) => [name, make(world)])))
  })
}

export function listOf(items: fc.Arbitrary<Recipe>): fc.Arbitrary<Recipe> {
  return fc
    .array(items, { maxLength: 4 })
    .map((made) =>
      recipe(`[${made.map(({ label }) => label).join(', ')}]`, (world) => made.map(({ make }) => make(world))),
    )
}

function short(label: string): string {
  return label.length <= 60 ? label : `${label.slice(0, 40)}… (${label.length} characters)`
}
