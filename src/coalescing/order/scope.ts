import { Barrier } from './barrier'
import { Fifo } from './fifo'
import type { IdleTurns } from './idle-turns'
import { KeysTogether } from './keys-together'
import type { Ordered, OrderedKey } from './ordered'

/**
 * Turns of keys that nobody asks about now are kept for the next call. A Map that shrinks leaves its old storage behind, and with
 * it, until the next full collection, all that it held: getMany(100) took a tenth longer, and its p99 was three times as long.
 */
const idleTurnsKept = 128

/** What happens to one key now: any number of reads, or one write; the rest waits its turn. */
interface KeyTurn {
  active: number
  /** undefined: nothing happens. */
  newest: Ordered | undefined
  /** Made when somebody has to wait, which is seldom. */
  waiting: Fifo<OrderedKey> | undefined
}

/** The order of calls within one namespace. */
export class Scope {
  #turns = new Map<string, KeyTurn>()
  #idleTurns = 0
  readonly #idleInAll: IdleTurns
  readonly #held = new Fifo<OrderedKey | Barrier>()
  /** By key: the last request held since the last barrier held. */
  readonly #heldNewest = new Map<string, OrderedKey>()
  #barrier: Barrier | undefined
  #active = 0
  /** Writes under way or waiting. */
  #writes = 0
  readonly #together = new Set<KeysTogether>()

  constructor(
    readonly tenant: string,
    idleInAll: IdleTurns,
  ) {
    this.#idleInAll = idleInAll
  }

  get isBarred(): boolean {
    return this.#barrier !== undefined
  }

  get isIdle(): boolean {
    return this.#active === 0 && this.#barrier === undefined
  }

  /** Dispatches the request when all that came before it on its key has been answered. */
  enter(request: OrderedKey): void {
    if (this.#barrier === undefined) {
      this.#admit(request)
      return
    }
    this.#held.push(request)
    this.#heldNewest.set(request.key, request)
  }

  /** The last request on the key, while another may still join it: it has not left, and nothing came after it. */
  joinable(key: string): Ordered | undefined {
    if (this.#barrier !== undefined) return this.#heldNewest.get(key)
    const newest = this.#turns.get(key)?.newest
    return newest === undefined || newest.hasLeft ? undefined : newest
  }

  /** The request has been answered. */
  leave(request: OrderedKey): void {
    if (!request.isRead) this.#writes -= 1
    this.#leaveTurn(request.key)
    this.#countLeft()
  }

  /** Whether a read, or a write, of all these keys may go at once. */
  isFreeFor(keys: readonly string[], isRead: boolean): boolean {
    if (this.#barrier !== undefined) return false
    if (isRead && this.#writes === 0) return true
    for (const others of this.#together) {
      if (!(isRead && others.request.isRead) && others.hasAny(keys)) return false
    }
    if (this.#turns.size === this.#idleTurns) return true
    for (const key of keys) {
      const turn = this.#turns.get(key)
      if (turn?.newest === undefined) continue
      if (!isRead || !turn.newest.isRead || turn.waiting?.size) return false
    }
    return true
  }

  /**
   * Of keys that are free for it, each once: reads or writes them all. They leave no trace in the turns of their keys; whoever comes looks whether its key is among them.
   * @returns to be given back when they have been answered
   */
  takeTogether(keys: readonly { readonly key: string }[], request: Ordered): KeysTogether {
    this.#active += 1
    if (!request.isRead) this.#writes += keys.length
    const together = new KeysTogether(keys, request)
    this.#together.add(together)
    return together
  }

  doneTogether(together: KeysTogether): void {
    this.#together.delete(together)
    if (!together.request.isRead) this.#writes -= together.size
    for (const key of together.held) this.#leaveTurn(key)
    this.#countLeft()
  }

  bar(barrier: Barrier): void {
    if (this.#barrier !== undefined) {
      this.#held.push(barrier)
      this.#heldNewest.clear()
      return
    }
    this.#barrier = barrier
    if (this.#active === 0) barrier.arrive()
  }

  /** What the barrier held goes on, up to the next one. */
  unbar(): void {
    this.#barrier = undefined
    let held = this.#held.shift()
    while (held !== undefined) {
      if (held instanceof Barrier) {
        this.bar(held)
        return
      }
      this.#admit(held)
      held = this.#held.shift()
    }
    this.#heldNewest.clear()
  }

  /** Whoever reads or writes many keys, this one among them, is at work on it from now on, as if it had taken a turn. Reads do not wait for reads. */
  #holdForOthers({ key, isRead }: OrderedKey, turn: KeyTurn): void {
    for (const others of this.#together) {
      if ((isRead && others.request.isRead) || !others.has(key) || others.held.has(key)) continue
      others.held.add(key)
      turn.active += 1
      turn.newest ??= others.request
    }
  }

  #leaveTurn(key: string): void {
    const turn = this.#turns.get(key) as KeyTurn
    turn.active -= 1
    if (turn.active === 0) this.#next(turn)
  }

  #countLeft(): void {
    this.#active -= 1
    if (this.#active === 0) this.#barrier?.arrive()
  }

  #admit(request: OrderedKey): void {
    this.#active += 1
    const turn = this.#turnOf(request.key)
    if (!request.isRead) this.#writes += 1
    if (this.#together.size > 0) this.#holdForOthers(request, turn)
    // Reads go together, unless a write waits already: it must not wait for ever.
    const isFree = turn.newest === undefined || (request.isRead && turn.newest.isRead && !turn.waiting?.size)
    turn.newest = request
    if (isFree) {
      this.#go(turn, request)
      return
    }
    turn.waiting ??= new Fifo()
    turn.waiting.push(request)
  }

  #turnOf(key: string): KeyTurn {
    const known = this.#turns.get(key)
    if (known === undefined) {
      const turn = { active: 0, newest: undefined, waiting: undefined }
      this.#turns.set(key, turn)
      this.#idleInAll.turns += 1
      return turn
    }
    if (known.newest === undefined) this.#countIdle(-1)
    return known
  }

  #next(turn: KeyTurn): void {
    const next = turn.waiting?.shift()
    if (next === undefined) {
      turn.newest = undefined
      this.#countIdle(1)
      if (this.#idleTurns > idleTurnsKept && this.#idleTurns * 2 > this.#turns.size) this.forgetIdleTurns()
      else if (this.#idleInAll.areTooMany) this.#idleInAll.forget()
      return
    }
    this.#go(turn, next)
    while (next.isRead && turn.waiting?.first?.isRead) this.#go(turn, turn.waiting?.shift() as OrderedKey)
  }

  forgetIdleTurns(): void {
    if (this.#idleTurns === 0) return
    this.#idleInAll.turns -= this.#idleTurns
    this.#turns = new Map([...this.#turns].filter(([, { newest }]) => newest !== undefined))
    this.#countIdle(-this.#idleTurns)
  }

  #countIdle(by: number): void {
    this.#idleTurns += by
    this.#idleInAll.count += by
  }

  #go(turn: KeyTurn, request: OrderedKey): void {
    turn.active += 1
    request.dispatch()
  }
}
