import { assertKnown } from '../../entry/known-options'
import { InvalidArgumentError } from '../../errors'
import { assertAddress } from './server-address'
import type { NearOptions, NearSettings, NearStoreOptions } from './told'
import { count, duration, oneOf } from './values'

/** What holds for all that a stash holds near. */
export interface ResolvedNearSettings {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly maxStalenessMs: number
  readonly pollMs: number
  /** A connection string: there. */
  readonly listen: 'auto' | false | string
}

/** How a namespace is held near. */
export interface ResolvedNearOptions {
  readonly ttl: number
  readonly absentTtl: number
  readonly isFrozen: boolean
  readonly staleIfErrorMs: number
}

const mebibyte = 1024 * 1024

const settingNames: ReadonlySet<string> = new Set(['maxBytes', 'maxEntries', 'maxStalenessMs', 'pollMs', 'listen'])
const optionNames: ReadonlySet<string> = new Set(['ttl', 'absentTtl', 'values', 'staleIfErrorMs'])

/** @throws {InvalidArgumentError} naming the option */
export function resolveNearSettings(given: NearSettings | undefined): ResolvedNearSettings {
  assertKnown('near', given, settingNames)
  const maxStalenessMs = duration('near.maxStalenessMs', given?.maxStalenessMs, 1_000)
  const pollMs = duration('near.pollMs', given?.pollMs, Math.min(250, maxStalenessMs))
  if (pollMs > maxStalenessMs) {
    throw new InvalidArgumentError(
      'near.pollMs',
      'is more than near.maxStalenessMs',
      'What is near answers for maxStalenessMs after a poll: poll several times in it.',
    )
  }
  return {
    maxBytes: count('near.maxBytes', given?.maxBytes, 64 * mebibyte),
    maxEntries: count('near.maxEntries', given?.maxEntries, 10_000),
    maxStalenessMs,
    pollMs,
    listen: listenOf(given?.listen),
  }
}

/**
 * @param field what the caller calls it
 * @returns undefined: nothing is held near
 * @throws {InvalidArgumentError} naming the option
 */
export function resolveNearOptions(
  given: boolean | NearOptions | undefined,
  field = 'near',
): ResolvedNearOptions | undefined {
  if (given === undefined || given === false) return undefined
  if (given !== true) assertKnown(field, given, optionNames)
  const options: NearOptions = given === true ? {} : given
  return {
    ttl: duration(`${field}.ttl`, options.ttl, 60_000),
    absentTtl: none(`${field}.absentTtl`, options.absentTtl),
    isFrozen: oneOf(`${field}.values`, options.values, ['copy', 'frozen'], 'copy') === 'frozen',
    staleIfErrorMs: none(`${field}.staleIfErrorMs`, options.staleIfErrorMs),
  }
}

function listenOf(listen: NearSettings['listen']): 'auto' | false | string {
  if (listen === undefined || listen === 'auto' || listen === false) return listen ?? 'auto'
  if (typeof listen === 'string') return assertAddress('near.listen', listen)
  throw new InvalidArgumentError(
    'near.listen',
    "must be 'auto', false or a connection string",
    'Leave it out for the default.',
  )
}

/** What a store is told, apart: what its namespace holds near, and what its own stash is told. */
export function splitNear(given: boolean | NearStoreOptions | undefined): {
  readonly held: boolean | NearOptions | undefined
  readonly settings: { near?: NearSettings }
} {
  if (typeof given !== 'object' || given === null) return { held: given, settings: {} }
  const ofStash = Object.entries(given).filter(([name]) => settingNames.has(name))
  const held = Object.fromEntries(Object.entries(given).filter(([name]) => !settingNames.has(name)))
  return { held, settings: ofStash.length === 0 ? {} : { near: Object.fromEntries(ofStash) } }
}

/** Milliseconds; 0, which is the default, for not at all. */
function none(field: string, value: number | undefined): number {
  return value === undefined || value === 0 ? 0 : duration(field, value, 1)
}
