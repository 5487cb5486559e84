import { ServerCpu } from './server-cpu'
import type { Settings } from './settings'
import { countWrites, writesSoFar } from './socket-writes'

/** What a stretch of work has cost, in all. CPU is user and system together, in microseconds; NaN where it cannot be seen. */
export interface Cost {
  readonly nodeUs: number
  /** Of all backends of PostgreSQL, or of Redis: whoever served. */
  readonly serverUs: number
  /** Writes to sockets: what waits for an answer together is one. */
  readonly roundTrips: number
  /** NaN where nobody tells. */
  readonly statements: number
}

/** Reads off what one contestant at a time costs, in this process and at its server. */
export class CostMeter {
  readonly #server: ServerCpu

  private constructor(server: ServerCpu) {
    this.#server = server
  }

  static async open(settings: Settings): Promise<CostMeter> {
    countWrites()
    return new CostMeter(await ServerCpu.open(settings))
  }

  /** Begins to count; the answer ends it. */
  async start(): Promise<() => Promise<Cost>> {
    const server = await this.#server.start()
    const node = process.cpuUsage()
    const trips = writesSoFar()
    return async () => {
      const spent = process.cpuUsage(node)
      const roundTrips = writesSoFar() - trips
      return { nodeUs: spent.user + spent.system, serverUs: await server(), roundTrips, statements: Number.NaN }
    }
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}
