import { type CounterState, type Limit, standingOf } from '../../entry/limits/limit'
import { InvalidArgumentError } from '../../errors'

/** Where a caller stands with one limit. */
export interface LimitStanding {
  /** In the headers. */
  readonly name: string
  /** Hits that a window allows. */
  readonly limit: number
  /** How long the window is, in milliseconds. */
  readonly windowMs: number
  /** Hits that count now. */
  readonly used: number
  /** Hits that still fit. */
  readonly remaining: number
  /** Milliseconds until the window ends; of GCRA, until nothing is used. */
  readonly resetMs: number
}

/** What a limiter answers. */
export interface RateLimitResult {
  /** Whether the hit fits all limits, and was counted. */
  readonly isAllowed: boolean
  /** Of the limit that decides: the one that has least left. */
  readonly limit: number
  /** Hits that count now. */
  readonly used: number
  /** 0 for a denial; what a call of less cost would find is in `limits`. */
  readonly remaining: number
  /** Milliseconds until the window ends; of GCRA, until nothing is used. */
  readonly resetMs: number
  /** Milliseconds after which the same call would be allowed; 0 where it is. */
  readonly retryAfterMs: number
  /** Denied because of an earlier denial that blocks. */
  readonly isBlocked: boolean
  /** How often a denial has blocked the caller, of those that are remembered. */
  readonly strikes: number
  /** How often this process denied the caller since the database last decided; 0 when allowed. */
  readonly denials: number
  /** Of every limit, in their order. */
  readonly limits: readonly LimitStanding[]
}

/** A limit with its name, and what its counter holds. */
export interface NamedState {
  readonly name: string
  readonly limit: Limit
  readonly state: CounterState | undefined
}

/** @param laterHits hits of the only counter that were counted after the caller's */
export function resultOf(
  isAllowed: boolean,
  states: readonly NamedState[],
  retryAfterMs: number,
  laterHits = 0,
): RateLimitResult {
  const limits = states.map((named) =>
    limitStanding(isAllowed && isBlocking(named) ? withoutBlock(named) : named, laterHits),
  )
  const decisive = limits.length === 1 ? (limits[0] as LimitStanding) : limits.reduce(scarcer)
  return {
    isAllowed,
    limit: decisive.limit,
    used: decisive.used,
    remaining: isAllowed ? decisive.remaining : 0,
    resetMs: decisive.resetMs,
    retryAfterMs: isAllowed ? 0 : retryAfterMs,
    isBlocked: !isAllowed && states.some(isBlocking),
    strikes: states.reduce(mostStrikes, 0),
    denials: isAllowed ? 0 : 1,
    limits,
  }
}

function limitStanding({ name, limit, state }: NamedState, laterHits: number): LimitStanding {
  const { used, remaining, resetMs } = standingOf(limit, state)
  return {
    name,
    limit: limit.limit,
    windowMs: limit.windowMs,
    used: Math.max(0, used - laterHits),
    remaining: Math.min(limit.limit, remaining + laterHits),
    resetMs,
  }
}

/** A later hit of the same batch may have started one. */
function withoutBlock({ state, ...named }: NamedState): NamedState {
  return { ...named, state: state === undefined ? undefined : { ...state, blockLeft: null } }
}

function scarcer(a: LimitStanding, b: LimitStanding): LimitStanding {
  return b.remaining < a.remaining ? b : a
}

function isBlocking({ state }: NamedState): boolean {
  return (state?.blockLeft ?? 0) > 0
}

function mostStrikes(most: number, { state }: NamedState): number {
  return Math.max(most, state?.strikes ?? 0)
}

/** The same denial so much later. */
export function deniedSince(denied: RateLimitResult, elapsedMs: number, denials: number): RateLimitResult {
  const left = (ms: number) => Math.max(1, Math.ceil(ms - elapsedMs))
  return {
    ...denied,
    resetMs: left(denied.resetMs),
    retryAfterMs: left(denied.retryAfterMs),
    denials,
    limits: denied.limits.map((limit) => ({ ...limit, resetMs: left(limit.resetMs) })),
  }
}

/**
 * Headers for a response: `RateLimit-Policy` and `RateLimit`, and `Retry-After` for a denial.
 * Source: IETF draft-ietf-httpapi-ratelimit-headers-10; times in seconds, rounded up.
 * @throws {InvalidArgumentError} no result of a limiter, but its promise, say
 */
export function rateLimitHeaders(result: RateLimitResult): Record<string, string> {
  if (!Array.isArray(result?.limits)) {
    throw new InvalidArgumentError('result', 'is no result of a limiter', 'Pass what consume() resolved to: await it.')
  }
  const policies = result.limits.map(({ name, limit, windowMs }) => `${quoted(name)};q=${limit};w=${seconds(windowMs)}`)
  const standings = result.limits.map(
    (standing) => `${quoted(standing.name)};r=${standing.remaining};t=${seconds(resetOf(standing, result))}`,
  )
  return {
    'RateLimit-Policy': policies.join(', '),
    RateLimit: standings.join(', '),
    ...(result.isAllowed ? {} : { 'Retry-After': String(seconds(result.retryAfterMs)) }),
  }
}

/** A limit that denies says no earlier moment than Retry-After does. */
function resetOf({ limit, used, resetMs }: LimitStanding, denied: RateLimitResult): number {
  const isDecisive = !denied.isAllowed && limit === denied.limit && used === denied.used
  return isDecisive ? Math.max(resetMs, denied.retryAfterMs) : resetMs
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}

/** A string of structured fields (RFC 9651): printable ASCII. */
function quoted(name: string): string {
  return `"${name.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, '\\$&')}"`
}
