import type { CallOptions } from '../../coalescing/call'
import { assertKnown } from '../../entry/known-options'
import { assertStorable } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'
import { longestTimerMs } from '../../own-clock'

/** Of `tryLock`. */
export interface TryLockOptions extends CallOptions {
  /**
   * For how long the lock is safe from others without a word from this process, in milliseconds: it is renewed each third of it. After a crash of the holder the others wait so
   * long; a process that stands still for longer loses the lock. 100 at least. Default: 10,000.
   */
  readonly leaseMs?: number | undefined
}

/** Of `lock` and `withLock`. */
export interface LockOptions extends TryLockOptions {
  /** How long to wait for it, in milliseconds; null: for as long as it takes. Default: 10,000. */
  readonly waitMs?: number | null | undefined
}

/** With everything decided. */
export interface LockTerms {
  readonly leaseMs: number
  /** null: for ever. */
  readonly waitMs: number | null
  readonly signal: AbortSignal | undefined
}

/** A renewal takes a round trip and a commit, and there are to be three in a lease. */
const shortestLeaseMs = 100

const tryNames: ReadonlySet<string> = new Set(['leaseMs', 'signal'])
const lockNames: ReadonlySet<string> = new Set([...tryNames, 'waitMs'])

/** With 256 bytes of tenant this stays far under the 2,704 bytes of a B-tree index row. */
const maxNameBytes = 1_024

/** @throws {InvalidArgumentError} */
export function lockTerms(options: LockOptions | undefined): LockTerms {
  return { ...termsOf(options, lockNames), waitMs: waitOf(options?.waitMs) }
}

/** @throws {InvalidArgumentError} */
export function tryLockTerms(options: TryLockOptions | undefined): LockTerms {
  return { ...termsOf(options, tryNames), waitMs: 0 }
}

/** @throws {InvalidArgumentError} */
export function lockName(name: unknown): string {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError('name', 'must be a non-empty string', 'Name the lock, for example "invoices".')
  }
  assertStorable('name', name, maxNameBytes)
  return name
}

function termsOf(options: TryLockOptions | undefined, names: ReadonlySet<string>): Omit<LockTerms, 'waitMs'> {
  assertKnown('options', options, names)
  return { leaseMs: leaseOf(options?.leaseMs), signal: signalOf(options?.signal) }
}

function leaseOf(leaseMs: unknown): number {
  if (leaseMs === undefined) return 10_000
  if (isWithin(leaseMs, shortestLeaseMs)) return leaseMs
  throw new InvalidArgumentError(
    'leaseMs',
    `must be a whole number of milliseconds from ${shortestLeaseMs} to ${longestTimerMs}`,
    'Leave it out for 10,000.',
  )
}

function waitOf(waitMs: unknown): number | null {
  if (waitMs === undefined) return 10_000
  if (waitMs === null || isWithin(waitMs, 0)) return waitMs
  throw new InvalidArgumentError(
    'waitMs',
    `must be null or a whole number of milliseconds up to ${longestTimerMs}`,
    'Leave it out for 10,000.',
  )
}

function isWithin(ms: unknown, least: number): ms is number {
  return Number.isSafeInteger(ms) && (ms as number) >= least && (ms as number) <= longestTimerMs
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
