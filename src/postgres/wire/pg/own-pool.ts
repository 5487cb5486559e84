import pg from 'pg'
import { Deadlines, type Waiting } from '../../../coalescing/deadlines'
import { areTicksFake, now, startTimer, tickEpoch } from '../../../own-clock'

/**
 * A pool that this package opened. It knows its clients: one whose connecting lost a tick to fake timers would keep its place for ever, and the end of the pool
 * would wait for it.
 */
export class OwnPool {
  readonly pool: pg.Pool
  readonly #clients = new Set<pg.Client>()
  readonly #connecting = new Set<Connecting>()
  /** Not the pool's own: its timer fires, in a loop that stood still, before the server's greeting is read. */
  readonly #limits: Deadlines | undefined

  /** @param connectMs what the making of a connection may take, where the options do not say */
  constructor(options: pg.PoolConfig, connectMs: number) {
    const { Client, connectionTimeoutMillis } = options
    const isOurs = Client === undefined && connectionTimeoutMillis === undefined
    this.#limits = isOurs ? new Deadlines(connectMs) : undefined
    this.pool = new pg.Pool({
      ...options,
      Client: Client ?? this.#watchedClient(),
      connectionTimeoutMillis: isOurs ? undefined : (connectionTimeoutMillis ?? connectMs),
    })
    // Without a listener the loss of an idle connection would end the process. The pool replaces it by itself.
    this.pool.on('error', ignore)
  }

  /** Ends what may have lost a tick; the pool hears of it, and has the place again. Not while it would lose that as well. */
  freeLost(): void {
    if (this.#connecting.size === 0 || areTicksFake()) return
    const epoch = tickEpoch()
    for (const { client, begunIn } of this.#connecting) if (begunIn !== epoch) destroy(client)
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
    const connecting = new Connecting(client, () => {
      if (this.#connecting.delete(connecting)) this.#limits?.remove(connecting)
    })
    this.#clients.add(client)
    this.#connecting.add(connecting)
    this.#limits?.add(connecting, now())
    client.once('connect', () => connecting.end())
    connectionOf(client).once('end', () => {
      connecting.end()
      this.#clients.delete(client)
    })
  }
}

/** A client that is not connected yet. */
class Connecting implements Waiting {
  older: Waiting | undefined
  newer: Waiting | undefined
  startedAt = 0
  readonly begunIn = tickEpoch()

  constructor(
    readonly client: pg.Client,
    readonly end: () => void,
  ) {}

  /** In the words of `pg` for a limit of its own. */
  runOut(): void {
    this.end()
    destroy(this.client, new Error('timeout expired'))
  }
}

/** What is used of the connection of a client, which `pg` does not document. */
interface OwnConnection {
  readonly stream: { destroy(reason?: Error): void }
  once(event: 'end', listener: () => void): void
}

function connectionOf(client: pg.Client): OwnConnection {
  return (client as unknown as { readonly connection: OwnConnection }).connection
}

function destroy(client: pg.Client, reason?: Error): void {
  connectionOf(client).stream.destroy(reason)
}

/** Whether it resolves by then. */
function isInTime(ending: Promise<void>, limitMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stopTimer = startTimer(() => resolve(false), limitMs, true)
    ending.finally(stopTimer).then(() => resolve(true), reject)
  })
}

function ignore(): void {}
