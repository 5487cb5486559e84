import pg from 'pg'
import { areTicksFake, startTimer, tickEpoch } from '../../../own-clock'
import type { LeasedClient } from './pool'

/**
 * A pool that this package opened. It knows its clients: one whose connecting lost a tick to fake timers would keep its place for ever, and the end of the pool
 * would wait for it.
 */
export class OwnPool {
  readonly pool: pg.Pool
  readonly #clients = new Set<pg.Client>()
  /** Those that are not connected yet, and when it began. */
  readonly #connecting = new Map<pg.Client, number>()

  constructor(options: pg.PoolConfig) {
    this.pool = new pg.Pool({ ...options, Client: options.Client ?? this.#watchedClient() })
    // Without a listener the loss of an idle connection would end the process. The pool replaces it by itself.
    this.pool.on('error', ignore)
  }

  /** Ends what may have lost a tick; the pool hears of it, and has the place again. Not while it would lose that as well. */
  freeLost(): void {
    if (this.#connecting.size === 0 || areTicksFake()) return
    const epoch = tickEpoch()
    for (const [client, begunIn] of this.#connecting) if (begunIn !== epoch) destroy(client)
  }

  /** What is not over by then is ended from here: a client that nobody gives back, say. */
  async end(limitMs: number): Promise<void> {
    this.freeLost()
    if (await isInTime(this.pool.end(), limitMs)) return
    for (const client of this.#clients) destroy(client)
  }

  /** A pool makes a client to connect it at once. */
  #watchedClient(): new () => pg.ClientBase {
    const watch = (client: pg.Client) => this.#watch(client)
    return class extends pg.Client {
      constructor(config?: pg.ClientConfig) {
        super(config)
        watch(this)
      }
    }
  }

  #watch(client: pg.Client): void {
    this.#clients.add(client)
    this.#connecting.set(client, tickEpoch())
    client.once('connect', () => this.#connecting.delete(client))
    client.once('end', () => {
      this.#connecting.delete(client)
      this.#clients.delete(client)
    })
  }
}

function destroy(client: pg.Client): void {
  const { connection } = client as unknown as LeasedClient
  connection?.stream?.destroy?.()
}

/** Whether it resolves by then. */
function isInTime(ending: Promise<void>, limitMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stopTimer = startTimer(() => resolve(false), limitMs, true)
    ending.finally(stopTimer).then(() => resolve(true), reject)
  })
}

function ignore(): void {}
