import { soon } from '../own-clock'

/** What the departures need of a lane. */
export interface Departing {
  readonly isRead: boolean
  isAnnounced: boolean
  readonly hasQueued: boolean
  /** Sends the next batch; resolves when it has been answered, and never rejects. undefined: there was none to send. */
  depart(freeFlights: number): Promise<void> | undefined
}

/** Reads, or writes: so many flights of them are in the air at most. */
class Track {
  readonly #maxInFlight: number
  readonly #onLand: () => void
  #lanes: Departing[] = []
  #inFlight = 0

  constructor(maxInFlight: number, onLand: () => void) {
    this.#maxInFlight = maxInFlight
    this.#onLand = onLand
  }

  get isDue(): boolean {
    return this.#lanes.length > 0 && this.#inFlight < this.#maxInFlight
  }

  announce(lane: Departing): void {
    if (lane.isAnnounced) return
    lane.isAnnounced = true
    this.#lanes.push(lane)
  }

  /** A batch of every lane that has something is one flight: they travel together, and none waits for another one's crowd. */
  depart(): void {
    if (!this.isDue) return
    const lanes = this.#lanes
    this.#lanes = []
    const batches = lanes.flatMap((lane) => this.#batchOf(lane) ?? [])
    if (batches.length > 0) void this.#land(batches)
  }

  #batchOf(lane: Departing): Promise<void> | undefined {
    lane.isAnnounced = false
    const batch = lane.depart(this.#maxInFlight - this.#inFlight)
    if (lane.hasQueued) this.announce(lane)
    return batch
  }

  async #land(batches: readonly Promise<void>[]): Promise<void> {
    this.#inFlight += 1
    for (const batch of batches) await batch
    this.#inFlight -= 1
    this.#onLand()
  }
}

/**
 * Decides when batches leave. With a flight free, as soon as the code now running returns (`process.nextTick`), so nobody
 * waits for company; with all flights in the air, together when one lands.
 */
export class Departures {
  readonly #reads: Track
  readonly #writes: Track
  readonly #together: (work: () => void) => void
  #isScheduled = false

  /** @param together what leaves at one moment, of whatever kind, leaves through this */
  constructor(readsInFlight: number, writesInFlight: number, together: (work: () => void) => void) {
    const schedule = () => this.#schedule()
    this.#reads = new Track(readsInFlight, schedule)
    this.#writes = new Track(writesInFlight, schedule)
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
  }

  #schedule(): void {
    if (this.#isScheduled || !(this.#reads.isDue || this.#writes.isDue)) return
    this.#isScheduled = true
    soon(this.#depart)
  }

  readonly #depart = (): void => {
    this.#isScheduled = false
    // What is left of a crowd goes by itself: on one client the server would take one batch after the other.
    while (this.#reads.isDue || this.#writes.isDue) this.#together(this.#departOnce)
  }

  /** Reads first: no read stands behind a write that waits for a row. */
  readonly #departOnce = (): void => {
    this.#reads.depart()
    this.#writes.depart()
  }
}
