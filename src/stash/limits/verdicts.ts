import { type CounterState, type Limit, waitFor } from '../../entry/limits/limit'
import { type NamedState, type RateLimitResult, resultOf } from './result'

/** Of a hit that was counted if it fitted. */
export function decided(
  isAllowed: boolean,
  states: readonly NamedState[],
  cost: number,
  laterHits = 0,
): RateLimitResult {
  return resultOf(isAllowed, states, isAllowed ? 0 : retryAfter(states, cost), laterHits)
}

/** Of a hit that was counted whatever the limit says: allowed is what fitted. */
export function counted(states: readonly NamedState[], laterHits: number): RateLimitResult {
  const allowed = resultOf(true, states, 0, laterHits)
  return allowed.used <= allowed.limit ? allowed : resultOf(false, states, allowed.resetMs, laterHits)
}

/** Of no hit: what one of that cost would be answered now. */
export function standing(states: readonly NamedState[], cost: number): RateLimitResult {
  const isAllowed = states.every(({ limit, state }) => waitFor(limit, state, cost) === 0)
  return resultOf(isAllowed, states, retryAfter(states, cost))
}

/** A block that is over ended with a fresh start, which the next hit will find. */
export function withoutPastBlock(state: CounterState | undefined): CounterState | undefined {
  return state?.blockLeft != null && state.blockLeft <= 0 ? undefined : state
}

/** Whether a hit that the next one of its caller will not find is all that is left. */
export function isPast({ algorithm, windowMs }: Limit, { resetLeft, tatLeft }: CounterState): boolean {
  if (algorithm === 'gcra') return (tatLeft ?? 0) <= 0
  return resetLeft + (algorithm === 'sliding-window' ? windowMs : 0) <= 0
}

/** When the last of the limits has room; at least a millisecond. A hit that never fits is told the window. */
function retryAfter(states: readonly NamedState[], cost: number): number {
  const waits = states.map(({ limit, state }) => {
    const wait = waitFor(limit, state, cost)
    return Number.isFinite(wait) ? wait : limit.windowMs
  })
  return Math.max(1, ...waits)
}
