import { soon } from '../own-clock'

/** What the departures need of a lane. */
export interface Departing {
  isAnnounced: boolean
  readonly hasQueued: boolean
  /** Sends the next batch; resolves when it has been answered, and never rejects. undefined: there was none to send. */
  depart(freeFlights: number): Promise<void> | undefined
}

/**
 * Decides when a batch leaves. With a flight free, as soon as the code now running returns (`process.nextTick`), so nobody
 * waits for company; with all flights in the air, together when one lands.
 */
export class Departures {
  readonly #maxInFlight: number
  readonly #lanes: Departing[] = []
  #inFlight = 0
  #isScheduled = false

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight
  }

  announce(lane: Departing): void {
    if (!lane.isAnnounced) {
      lane.isAnnounced = true
      this.#lanes.push(lane)
    }
    this.#schedule()
  }

  /** What was scheduled may have been lost (fake timers): schedules it again, which does no harm where it still comes. */
  prod(): void {
    if (this.#isScheduled) soon(this.#depart)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= this.#maxInFlight || this.#lanes.length === 0) return
    this.#isScheduled = true
    soon(this.#depart)
  }

  readonly #depart = (): void => {
    this.#isScheduled = false
    while (this.#inFlight < this.#maxInFlight) {
      const lane = this.#lanes.shift()
      if (lane === undefined) return
      lane.isAnnounced = false
      const flight = lane.depart(this.#maxInFlight - this.#inFlight)
      if (flight !== undefined) void this.#land(flight)
      // Lanes take turns: one verb's crowd does not keep the others waiting.
      if (lane.hasQueued) this.announce(lane)
    }
  }

  async #land(flight: Promise<void>): Promise<void> {
    this.#inFlight += 1
    await flight
    this.#inFlight -= 1
    this.#schedule()
  }
}
