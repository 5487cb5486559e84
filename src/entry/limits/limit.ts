import { InvalidArgumentError } from '../../errors'

/**
 * How hits are weighed against a limit.
 * - `fixed-window`: a window begins with the first hit; at its end the count begins anew. Cheapest; up to twice the limit around an end.
 * - `sliding-window`: the hits of the window before count as far as it still reaches back. No burst around an end.
 * - `gcra`: hits come back one by one, evenly; after a pause the whole limit may be used at once.
 */
export type Algorithm = 'fixed-window' | 'sliding-window' | 'gcra'

/** So many hits in so many milliseconds. */
export interface Limit {
  readonly limit: number
  readonly windowMs: number
  readonly algorithm: Algorithm
}

/** What a counter holds; times are milliseconds from the moment it was read, on the database's clock. */
export interface CounterState {
  readonly hits: number
  /** In the window before. */
  readonly previous: number
  readonly resetLeft: number
  /** Of GCRA: the theoretical arrival time. */
  readonly tatLeft: number | null
  readonly blockLeft: number | null
  /** How often it was blocked. */
  readonly strikes: number
}

/** Where a caller stands with one limit. */
export interface Standing {
  readonly used: number
  readonly remaining: number
  /** Milliseconds until the window or a block ends; of GCRA, until nothing is used. */
  readonly resetMs: number
}

/** 100 years; with the clock it stays far from what a double holds exactly. */
export const maxWindowMs = 3_155_760_000_000

export const maxLimit = 1_000_000_000

/** Of GCRA, between two hits: a double holds the time of today to a quarter of a thousandth of a millisecond, and shorter intervals would come to nothing. */
const leastIntervalMs = 0.01

/** What double precision loses, here and in the database alike. */
const epsilon = 1e-6

/** Of GCRA: what a double loses of the time of today, in milliseconds; as in consume-gcra.sql. */
const lostMs = 0.00025

/** @throws {InvalidArgumentError} a limit below 0, a window that is no time, an algorithm nobody knows */
export function resolveLimit(
  limit: unknown,
  windowMs: unknown,
  algorithm: unknown = 'fixed-window',
  field = 'limit',
): Limit {
  const resolved = {
    limit: whole(field, limit, 0, maxLimit),
    windowMs: whole('windowMs', windowMs, 1, maxWindowMs),
    algorithm: algorithmOf(algorithm),
  }
  if (resolved.algorithm === 'gcra' && resolved.windowMs / resolved.limit < leastIntervalMs) {
    throw new InvalidArgumentError(
      field,
      'is too high for gcra in such a window',
      'Use fixed-window or sliding-window.',
    )
  }
  return resolved
}

/** How much a hit weighs: a whole number, 1 or more. */
export function resolveCost(cost: unknown = 1, field = 'cost'): number {
  return whole(field, cost, 1, maxLimit)
}

/** @param state undefined: nothing was counted yet */
export function standingOf(limit: Limit, state: CounterState | undefined): Standing {
  const used = usedOf(limit, state)
  const blockedMs = state?.blockLeft ?? 0
  if (blockedMs > 0) return { used: Math.ceil(used - epsilon), remaining: 0, resetMs: blockedMs }
  const remaining = Math.max(0, Math.floor(limit.limit - used + epsilon))
  return { used: Math.ceil(used - epsilon), remaining, resetMs: resetOf(limit, state) }
}

/** Milliseconds until a hit of that cost would fit; 0: now. Infinity: never, it is more than the whole limit. */
export function waitFor(limit: Limit, state: CounterState | undefined, cost: number): number {
  if (state === undefined) return cost <= limit.limit ? 0 : Number.POSITIVE_INFINITY
  const blocked = Math.max(0, state.blockLeft ?? 0)
  // A block ends with a fresh start.
  if (blocked > 0) return blocked
  if (cost > limit.limit) return Number.POSITIVE_INFINITY
  if (hasRoom(limit, state, cost)) return 0
  return Math.max(1, Math.ceil(waits[limit.algorithm](limit, state, limit.limit - cost)))
}

/** As the database decides, in its function `fitting`: to the same tolerance, or a hit would be told to wait that is let in. */
function hasRoom(limit: Limit, state: CounterState, cost: number): boolean {
  return (limit.limit - usedOf(limit, state)) / cost + epsilon >= 1
}

/** Milliseconds until no more than `room` is used. */
type Wait = (limit: Limit, state: CounterState, room: number) => number

const waits: Readonly<Record<Algorithm, Wait>> = {
  'fixed-window': (_, { hits, resetLeft }, room) => (hits <= room ? 0 : resetLeft),
  'sliding-window': ({ windowMs }, { hits, previous, resetLeft }, room) => {
    if (resetLeft > 0 && hits <= room) return previous === 0 ? 0 : resetLeft - ((room - hits) * windowMs) / previous
    // The hits of this window have to fade, as those of the one before do.
    return hits <= room ? 0 : resetLeft + windowMs * (1 - room / hits)
  },
  gcra: ({ limit, windowMs }, { tatLeft }, room) => (tatLeft ?? 0) - lostMs - (room * windowMs) / limit,
}

function usedOf({ limit, windowMs, algorithm }: Limit, state: CounterState | undefined): number {
  if (state === undefined) return 0
  const { hits, previous, resetLeft, tatLeft } = state
  if (algorithm === 'gcra') return (Math.max(0, (tatLeft ?? 0) - lostMs) / windowMs) * limit
  if (resetLeft > 0) return algorithm === 'fixed-window' ? hits : hits + previous * Math.min(1, resetLeft / windowMs)
  const reach = algorithm === 'fixed-window' ? 0 : resetLeft + windowMs
  return reach > 0 ? (hits * reach) / windowMs : 0
}

function resetOf({ windowMs, algorithm }: Limit, state: CounterState | undefined): number {
  if (state === undefined) return algorithm === 'gcra' ? 0 : windowMs
  if (algorithm === 'gcra') return Math.ceil(Math.max(0, state.tatLeft ?? 0))
  return state.resetLeft > 0 ? state.resetLeft : windowMs
}

function algorithmOf(algorithm: unknown): Algorithm {
  if (algorithm === 'fixed-window' || algorithm === 'sliding-window' || algorithm === 'gcra') return algorithm
  throw new InvalidArgumentError(
    'algorithm',
    'must be fixed-window, sliding-window or gcra',
    'Leave it out for fixed-window.',
  )
}

function whole(field: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  if (value === undefined) throw new InvalidArgumentError(field, 'is missing', `Pass a whole number, ${least} or more.`)
  throw new InvalidArgumentError(field, `must be a whole number from ${least} to ${most}`, 'Round it, or correct it.')
}
