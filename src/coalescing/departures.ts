import { now, soon, startTimer } from '../own-clock'

/**
 * So many rows leave although a flight is in the air: the statement costs little beside them, and Node works while the server does. Fewer wait for it to land: an app
 * that asks for a limit, a session and a cache entry with each request (32 at once) took 39 us of CPU in Node and 46 at the server for one, and 68 and 84 without waiting.
 */
const crowdToGo = 16

/** Longer than this nobody waits for others to land while a flight is free: what is in the air may be slow, or the server far away. */
const patienceMs = 1

/** What the departures need of a lane. */
export interface Departing {
  readonly isRead: boolean
  isAnnounced: boolean
  /** Rows that wait to leave. */
  readonly queued: number
  /** Sends the next batch; resolves when it has been answered, and never rejects. undefined: there was none to send. */
  depart(freeFlights: number): Promise<void> | undefined
}

/** Reads, or writes: so many flights of them are in the air at most. */
class Track {
  readonly #maxInFlight: number
  readonly #company: Track | undefined
  readonly #onLand: () => void
  #lanes: Departing[] = []
  #waitingSince = 0
  #isOverdue = false
  inFlight = 0

  /** @param company what leaves with it, for whose landing it waits as well */
  constructor(maxInFlight: number, company: Track | undefined, onLand: () => void) {
    this.#maxInFlight = maxInFlight
    this.#company = company
    this.#onLand = onLand
  }

  /** Something is there to leave, and a flight is free for it. */
  get isReady(): boolean {
    return this.#lanes.length > 0 && this.inFlight < this.#maxInFlight
  }

  get isDue(): boolean {
    if (!this.isReady) return false
    return this.inFlight + (this.#company?.inFlight ?? 0) === 0 || this.#isOverdue || this.#isCrowd
  }

  /** Looks whether somebody has waited for long. */
  look(): void {
    this.#isOverdue = this.#lanes.length > 0 && now() - this.#waitingSince >= patienceMs
  }

  get #isCrowd(): boolean {
    let rows = 0
    for (const { queued } of this.#lanes) rows += queued
    return rows >= crowdToGo
  }

  announce(lane: Departing): void {
    if (lane.isAnnounced) return
    if (this.#lanes.length === 0) this.#waitingSince = now()
    lane.isAnnounced = true
    this.#lanes.push(lane)
  }

  /** A batch of every lane that has something is one flight: they travel together, and none waits for another one's crowd. */
  depart(): void {
    const lanes = this.#lanes
    this.#lanes = []
    this.#isOverdue = false
    const batches = lanes.flatMap((lane) => this.#batchOf(lane) ?? [])
    if (batches.length > 0) void this.#land(batches)
  }

  #batchOf(lane: Departing): Promise<void> | undefined {
    lane.isAnnounced = false
    const batch = lane.depart(this.#maxInFlight - this.inFlight)
    if (lane.queued > 0) this.announce(lane)
    return batch
  }

  async #land(batches: readonly Promise<void>[]): Promise<void> {
    this.inFlight += 1
    for (const batch of batches) await batch
    this.inFlight -= 1
    this.#onLand()
  }
}

/**
 * Decides when batches leave. With nothing in the air, as soon as the code now running returns (`process.nextTick`); otherwise when a flight lands, unless a crowd
 * waits, or somebody has waited for long. Reads wait for reads; writes for both, with which they share a train.
 */
export class Departures {
  readonly #reads: Track
  readonly #writes: Track
  readonly #together: (work: () => void) => void
  #isScheduled = false
  #hasTimer = false

  /** @param together what leaves at one moment, of whatever kind, leaves through this */
  constructor(readsInFlight: number, writesInFlight: number, together: (work: () => void) => void) {
    const schedule = () => this.#schedule()
    this.#reads = new Track(readsInFlight, undefined, schedule)
    this.#writes = new Track(writesInFlight, this.#reads, schedule)
    this.#together = together
  }

  announce(lane: Departing): void {
    const track = lane.isRead ? this.#reads : this.#writes
    track.announce(lane)
    this.#schedule()
  }

  /** What was scheduled may have been lost (fake timers): schedules it again, which does no harm where it still comes. */
  prod(): void {
    if (this.#isScheduled) soon(this.#depart)
    else this.#look()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    if (this.#reads.isDue || this.#writes.isDue) {
      this.#isScheduled = true
      soon(this.#depart)
    } else if (!this.#hasTimer && (this.#reads.isReady || this.#writes.isReady)) {
      this.#hasTimer = true
      startTimer(this.#tick, patienceMs)
    }
  }

  readonly #tick = (): void => {
    this.#hasTimer = false
    this.#look()
  }

  #look(): void {
    this.#reads.look()
    this.#writes.look()
    this.#schedule()
  }

  readonly #depart = (): void => {
    this.#isScheduled = false
    // What is left of a crowd goes by itself: on one client the server would take one batch after the other.
    while (this.#reads.isDue || this.#writes.isDue) this.#together(this.#departOnce)
  }

  /** Reads first: no read stands behind a write that waits for a row. */
  readonly #departOnce = (): void => {
    const areWritesDue = this.#writes.isDue
    if (this.#reads.isDue) this.#reads.depart()
    if (areWritesDue) this.#writes.depart()
  }
}
