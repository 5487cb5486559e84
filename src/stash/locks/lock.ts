import { type LockLoss, LockLostError } from '../../errors'
import { startTimer, wakingNow } from '../../own-clock'
import type { LockClaim, LockTable } from '../../postgres/locks/table'
import { judgedSignal } from './judged-signal'

/** Two may fail, and the lease still goes on. */
const renewalsPerLease = 3

/** After a renewal that failed: often enough that a lease has room for several, not so often that they are a burden to a database in trouble. */
const retriesPerLease = 10
const longestRetryMs = 1_000

/** Of the lease: the paces of two clocks that are kept by NTP differ by so much at most, for it turns each by 500 millionths. */
const clockDrift = 0.001

/** What a lock is made of. */
export interface HeldParts {
  readonly table: LockTable
  readonly claim: LockClaim
  readonly token: number
  readonly leaseMs: number
  /** By the waking clock, before the request left that took it. */
  readonly askedAt: number
  /** Called with what makes it a lost one: the stash is closed, and nobody renews it any more. */
  readonly onStart: (lock: Lock, abandon: () => void) => void
  /** Called once: it was released, or lost. */
  readonly onEnd: (lock: Lock, isWanted: boolean) => void
}

/**
 * A lock that this process holds, until it is released or lost. Nobody else gets it while the lease runs, which is renewed until then; no connection is held. The lease is judged by
 * this process from before the request that made it, so that it ends here before it ends for others.
 *
 * A lease cannot stop a holder who does not know yet that he has lost it, nor call back what he has sent: let whatever he writes be guarded by {@link Lock.token}.
 */
export class Lock {
  /** As it was asked for. */
  readonly name: string
  /**
   * Greater than that of every earlier holder of this name. Hand it to whatever is written under the lock, and refuse what comes with a smaller one than was seen:
   * `update … set …, token = $1 where id = $2 and token <= $1`.
   */
  readonly token: number
  /** Aborts when the lock is lost; its reason is a {@link LockLostError}. It looks at the clock whenever it is asked, also where the process has stood still. */
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #parts: HeldParts
  #askedAt: number
  #state: 'held' | 'released' | 'lost' = 'held'
  #stopDeadline: (() => void) | undefined
  #stopRenewal: (() => void) | undefined
  #released: Promise<boolean> | undefined

  /** Made by `lock()`. */
  constructor(parts: HeldParts) {
    this.#parts = parts
    this.#askedAt = parts.askedAt
    this.name = parts.claim.name
    this.token = parts.token
    this.signal = judgedSignal(this.#controller.signal, () => this.#judge())
    parts.onStart(this, () => this.#lose('closed'))
    this.#watch()
    this.#renewIn(parts.leaseMs / renewalsPerLease)
  }

  /** Whether it is held still, as far as can be known here: by the clock, and by what the last renewal said. */
  get isHeld(): boolean {
    this.#judge()
    return this.#state === 'held'
  }

  /**
   * Lets others have it. Answers whether it was held until now; false: it was lost before, and others may have been at it.
   * Rejects where the database cannot be told: the lease then ends by itself.
   */
  release(): Promise<boolean> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release(): Promise<boolean> {
    if (!this.isHeld) return false
    this.#end('released')
    const { table, claim, onEnd } = this.#parts
    let isWanted = false
    try {
      const released = await table.release(claim, this.token)
      isWanted = released.isWanted
      return released.wasHeld
    } finally {
      onEnd(this, isWanted)
    }
  }

  /** Whoever looks finds it out, also where no timer has come yet. */
  #judge(): void {
    if (this.#state === 'held' && this.#leftMs() <= 0) this.#lose('expired')
  }

  #leftMs(): number {
    return this.#parts.leaseMs * (1 - clockDrift) - (wakingNow() - this.#askedAt)
  }

  readonly #watch = (): void => {
    if (this.isHeld) this.#stopDeadline = startTimer(this.#watch, Math.max(1, Math.ceil(this.#leftMs())))
  }

  #renewIn(ms: number): void {
    if (this.#state === 'held') this.#stopRenewal = startTimer(() => void this.#renew(), ms)
  }

  async #renew(): Promise<void> {
    if (!this.isHeld) return
    const { table, claim, leaseMs } = this.#parts
    const askedAt = wakingNow()
    // Why it failed is nobody's concern: either a later one gets through, or the lease ends.
    const isMine = await table.renew(claim, this.token, leaseMs).catch(() => undefined)
    if (this.#state !== 'held') return
    if (isMine === undefined) return this.#renewIn(Math.min(longestRetryMs, leaseMs / retriesPerLease))
    if (!isMine) return this.#lose('taken')
    this.#askedAt = askedAt
    this.#renewIn(leaseMs / renewalsPerLease)
  }

  #lose(how: LockLoss): void {
    if (this.#state !== 'held') return
    this.#end('lost')
    this.#controller.abort(new LockLostError(this.name, this.token, how))
    this.#parts.onEnd(this, false)
  }

  #end(state: 'released' | 'lost'): void {
    this.#state = state
    this.#stopDeadline?.()
    this.#stopRenewal?.()
  }
}
