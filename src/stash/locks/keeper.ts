import { randomInt } from 'node:crypto'
import { InvalidArgumentError, LockLostError, StashClosedError } from '../../errors'
import { type LockClaim, LockTable } from '../../postgres/locks/table'
import type { TenantTables } from '../../postgres/tables'
import { isOutage } from '../options/outage'
import { Attempt, type Got } from './attempt'
import { Lock } from './lock'
import { type LockOptions, type LockTerms, lockName, lockTerms, type TryLockOptions, tryLockTerms } from './options'
import { Place } from './place'

/** Of these the idle ones go: a place that nobody is at remembers no more than how long this process has had it. */
const placesKept = 1_000

/** Whose locks. */
export interface LockScope {
  readonly tenant: string
  readonly tables: TenantTables
}

/** The locks of a stash: who holds one in this process, and who waits. */
export class LockKeeper {
  readonly #places = new Map<string, Place>()
  readonly #held = new Map<Lock, () => void>()
  readonly #attempts = new Set<Attempt>()
  #isClosed = false

  async lock(scope: LockScope, name: string, options?: LockOptions): Promise<Lock> {
    const lock = await this.#try(scope, lockName(name), lockTerms(options), (attempt) => attempt.untilGot())
    return lock as Lock
  }

  async tryLock(scope: LockScope, name: string, options?: TryLockOptions): Promise<Lock | undefined> {
    return this.#try(scope, lockName(name), tryLockTerms(options), (attempt) => attempt.once())
  }

  async withLock<T>(
    scope: LockScope,
    name: string,
    work: (lock: Lock) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    if (typeof work !== 'function') {
      throw new InvalidArgumentError('work', 'must be a function', 'Pass withLock(name, work, options).')
    }
    const lock = await this.lock(scope, name, options)
    try {
      const answer = await work(lock)
      await assertReleased(lock)
      return answer
    } finally {
      // What the work threw is told, and nothing else.
      await lock.release().catch(() => false)
    }
  }

  /** Nothing is renewed any more, so whoever holds a lock is told that he has lost it; who waits is rejected. */
  close(): void {
    this.#isClosed = true
    for (const attempt of this.#attempts) attempt.stop()
    for (const abandon of this.#held.values()) abandon()
  }

  async #try(
    { tenant, tables }: LockScope,
    name: string,
    terms: LockTerms,
    work: (attempt: Attempt) => Promise<Got | undefined>,
  ): Promise<Lock | undefined> {
    if (this.#isClosed) throw new StashClosedError()
    const table = tables.of(LockTable)
    const claim = { tenant, name, holder: newHolder() }
    const place = this.#placeOf(`${tenant}\0${name}`)
    const attempt = new Attempt(table, claim, terms, place)
    this.#attempts.add(attempt)
    try {
      const got = await work(attempt)
      return got && this.#hold(table, claim, terms.leaseMs, got, place)
    } finally {
      this.#attempts.delete(attempt)
    }
  }

  #hold(table: LockTable, claim: LockClaim, leaseMs: number, got: Got, place: Place): Lock {
    const onStart = (lock: Lock, abandon: () => void) => {
      if (this.#isClosed) abandon()
      else this.#held.set(lock, abandon)
    }
    const onEnd = (lock: Lock, isWanted: boolean) => {
      this.#held.delete(lock)
      place.ended(isWanted)
    }
    return new Lock({ table, claim, leaseMs, onStart, onEnd, ...got })
  }

  #placeOf(id: string): Place {
    const known = this.#places.get(id)
    if (known !== undefined) return known
    if (this.#places.size >= placesKept) this.#forgetIdle()
    const place = new Place()
    this.#places.set(id, place)
    return place
  }

  #forgetIdle(): void {
    for (const [id, place] of this.#places) if (place.isIdle) this.#places.delete(id)
  }
}

/** Not Math.random(): two processes whose tests have seeded it alike would be one holder. 0 is nobody. */
function newHolder(): number {
  return randomInt(1, 2 ** 48 - 1)
}

/** @throws {LockLostError} others may have been at it before the work was done */
async function assertReleased(lock: Lock): Promise<void> {
  const wasHeld = await lock.release().catch((error: unknown) => {
    // The work is done, and the lease ends by itself.
    if (isOutage(error)) return true
    throw error
  })
  if (!wasHeld) throw lock.signal.aborted ? lock.signal.reason : new LockLostError(lock.name, lock.token, 'taken')
}
