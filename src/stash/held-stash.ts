import { InvalidArgumentError } from '../errors'
import { isStash } from './is-stash'
import { plainOptions } from './options/given'
import { assertOptions } from './options/mistaken'
import { connectionOptionNames } from './options/names'
import { resolveOptions } from './options/resolved'
import type { PgStashOptions } from './options/told'
import { PgStash } from './pg-stash'

/** What a store accepts in the place of a stash. */
export type StashSource = PgStash | string | (PgStashOptions & { readonly stash?: PgStash | undefined })

/** The stash of a store. */
export interface StashHolding {
  readonly stash: PgStash
  /** Closes the stash, if it was opened for stores and this is the last of them. Twice counts once. */
  release(): Promise<void>
}

/** A stash that was opened for stores, by the options they were given. */
interface SharedStash {
  readonly stash: PgStash
  readonly options: object
  holders: number
}

/** Those with a holder: one for each address and options, as many stores as there may be. */
const shared: SharedStash[] = []

/**
 * The stash a store works on: the one it was given; otherwise one that is shared by all stores with the same connection options.
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function holdStash(source: StashSource | undefined): StashHolding {
  if (isStash(source)) return { stash: source, release: async () => {} }
  if (typeof source === 'object' && source !== null && 'stash' in source) return given(source)
  const options = { ...resolveOptions(source ?? {}), environment: environment() }
  const open = shared.find((one) => !one.stash.isClosed && isSame(one.options, options))
  const one = open ?? { stash: new PgStash(source), options, holders: 0 }
  if (open === undefined) shared.push(one)
  one.holders += 1
  let released: Promise<void> | undefined
  return {
    stash: one.stash,
    release: () => {
      released ??= leave(one)
      return released
    },
  }
}

/** Also where it is undefined: opening another one would keep the data somewhere else. */
function given({ stash, ...others }: PgStashOptions & { readonly stash?: PgStash | undefined }): StashHolding {
  if (!isStash(stash))
    throw new InvalidArgumentError('stash', 'is no PgStash', 'Pass new PgStash(…), or connection options instead.')
  const [extra] = Object.entries(others).filter(([, value]) => value !== undefined)
  if (extra?.[0] === 'near') {
    const name = `near.${Object.keys(extra[1] as object).join(', near.')}`
    throw new InvalidArgumentError(
      name,
      'is of the stash itself, and cannot be given beside a stash',
      'Give it to that: new PgStash({ near: { … } }). A store beside it takes near: true, or what holds for its namespace: ttl, absentTtl, values, staleIfErrorMs.',
    )
  }
  if (extra !== undefined) {
    const next = "Check the spelling; connection options are the stash's own."
    throw new InvalidArgumentError('options', `have no ${JSON.stringify(extra[0])} beside a stash`, next)
  }
  return { stash, release: async () => {} }
}

async function leave(one: SharedStash): Promise<void> {
  one.holders -= 1
  if (one.holders > 0) return
  shared.splice(shared.indexOf(one), 1)
  await one.stash.close()
}

/**
 * The options of a store that takes them as one object, as a plain one.
 * @param names of the store's own
 * @throws {InvalidArgumentError} a stash, a pool, or anything else in their place
 */
export function storeOptions<Options extends object>(options: Options, names: Iterable<string>): Options {
  assertOptions('options', options)
  const plain = plainOptions(options, [...connectionOptionNames, ...names])
  const { stash } = options as { stash?: unknown }
  return 'stash' in options ? { ...plain, stash } : plain
}

/** `pg` reads it when it connects. */
function environment(): Record<string, unknown> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('PG')))
}

/** Whether two mean the same: plain objects by what is in them, functions and instances (a pool, a PGlite) by themselves. Nothing is spelt out: passwords are among it. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (!isPlain(one) || !isPlain(other)) return false
  // Not only what is enumerable: `pg-pool` hides the key of a certificate.
  const names = new Set([...Object.getOwnPropertyNames(one), ...Object.getOwnPropertyNames(other)])
  return [...names].every((name) => isSame(one[name], other[name]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
