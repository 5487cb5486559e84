import { resolveTtl } from '../../entry/expiry'
import type { StoredKey } from '../../entry/key'
import { assertKnown } from '../../entry/known-options'
import { type Tags, tagsOf } from '../../entry/tags'
import { InvalidArgumentError } from '../../errors'
import { longestTimerMs } from '../../own-clock'
import { type Claim, nothingIsFresh } from '../../postgres/loading/table'
import type { CacheRules } from '../entries/entry'
import { graceOf } from '../entries/grace'
import type { LoadOptions } from '../entries/loading'
import { bool, oneOf } from '../options/values'

/** The options of a load, with everything decided. */
export interface LoadTerms {
  readonly ttl: number | null
  readonly negativeTtl: number | null
  readonly ttlJitter: number
  readonly grace: number
  readonly tags: Tags | undefined
  readonly tagScope: Tags['scope']
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number | null
  readonly maxLoadMs: number
  readonly leaseMs: number
  readonly waitTimeoutMs: number
  readonly errorBackoffMs: number
  /** undefined: no. */
  readonly eager: number | 'xfetch' | undefined
  readonly isForced: boolean
  /** Over all processes; otherwise in this one. */
  readonly isShared: boolean
  readonly signal: AbortSignal | undefined
}

/** Tags that were deleted by are told from others for an hour. */
const longestLoadMs = 3_600_000

/** A renewal takes a round trip and a commit, and there are to be three in a lease. */
const shortestLeaseMs = 100

const optionNames: ReadonlySet<string> = new Set([
  'ttl',
  'grace',
  'tags',
  'tagScope',
  'negativeTtl',
  'softTimeoutMs',
  'hardTimeoutMs',
  'maxLoadMs',
  'leaseMs',
  'waitTimeoutMs',
  'errorBackoffMs',
  'eagerRefresh',
  'forceFresh',
  'lock',
  'signal',
])

/** @throws {InvalidArgumentError} naming the option */
export function loadTerms(options: LoadOptions | undefined, rules: CacheRules): LoadTerms {
  assertKnown('options', options, optionNames)
  const given = options ?? {}
  const ttl = resolveTtl(given.ttl, rules.defaultTtl)
  const tagScope = given.tagScope ?? 'namespace'
  return {
    ttl,
    negativeTtl: given.negativeTtl === undefined ? ttl : resolveTtl(given.negativeTtl, null, 'negativeTtl'),
    ttlJitter: rules.ttlJitter,
    grace: graceOf(given.grace, rules.grace),
    tags: given.tags === undefined ? undefined : tagsOf(given.tags, tagScope),
    tagScope,
    softTimeoutMs: within('softTimeoutMs', given.softTimeoutMs, 0, 0),
    hardTimeoutMs: given.hardTimeoutMs === undefined ? null : within('hardTimeoutMs', given.hardTimeoutMs, 1, 0),
    maxLoadMs: within('maxLoadMs', given.maxLoadMs, 1, 60_000, longestLoadMs),
    leaseMs: within('leaseMs', given.leaseMs, shortestLeaseMs, 5_000, longestLoadMs),
    waitTimeoutMs: within('waitTimeoutMs', given.waitTimeoutMs, 0, 10_000),
    errorBackoffMs: within('errorBackoffMs', given.errorBackoffMs, 0, 5_000),
    eager: eagerOf(given.eagerRefresh),
    isForced: bool('forceFresh', given.forceFresh, false),
    isShared: oneOf('lock', given.lock, ['all', 'process'], 'all') === 'all',
    signal: signalOf(given.signal),
  }
}

/**
 * A ttl with a share of it taken off at random, so that what was stored together does not expire together.
 * @param jitter the largest share
 */
export function jittered(ttl: number | null, jitter: number): number | null {
  return ttl === null || jitter === 0 ? ttl : Math.max(1, Math.round(ttl * (1 - Math.random() * jitter)))
}

/** @param minLeftMs what has no more milliseconds left is loaded anew */
export function claimOf(
  stored: StoredKey,
  { ttl, tags, leaseMs, maxLoadMs, isForced, isShared }: LoadTerms,
  minLeftMs: number,
): Claim {
  return {
    ...stored,
    tags,
    keepMs: ttl === null ? null : Math.max(ttl, 60_000),
    leaseMs,
    maxLoadMs,
    minLeftMs: isForced ? nothingIsFresh : minLeftMs,
    takes: isForced || !isShared,
  }
}

function within(field: string, ms: unknown, least: number, otherwise: number, most = longestTimerMs): number {
  if (ms === undefined) return otherwise
  if (Number.isSafeInteger(ms) && (ms as number) >= least && (ms as number) <= most) return ms as number
  throw new InvalidArgumentError(
    field,
    `must be a whole number of milliseconds from ${least} to ${most}`,
    'Leave it out for the default.',
  )
}

function eagerOf(eager: unknown): number | 'xfetch' | undefined {
  if (eager === undefined || eager === 'xfetch') return eager
  if (typeof eager === 'number' && eager > 0 && eager < 1) return eager
  throw new InvalidArgumentError(
    'eagerRefresh',
    "must be a number between 0 and 1, or 'xfetch'",
    'For example 0.8: once 80 % of the ttl are over.',
  )
}

function signalOf(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined
  if (signal instanceof AbortSignal) return signal
  throw new InvalidArgumentError(
    'signal',
    'must be an AbortSignal',
    'Pass the signal of the controller, not the controller.',
  )
}
