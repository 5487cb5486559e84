import { once } from 'node:events'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** A TCP proxy before a server, that fails on demand as networks do. */
export class FaultyProxy {
  readonly #server: Server
  readonly #serverUrl: URL
  readonly #pairs = new Set<readonly [client: Socket, server: Socket]>()
  #isFrozen = false
  #isSwallowing = false

  private constructor(serverUrl: URL) {
    this.#serverUrl = serverUrl
    this.#server = createServer((client) => this.#join(client))
  }

  static async before(serverUrl: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(new URL(serverUrl))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    const url = new URL(this.#serverUrl)
    url.port = String((this.#server.address() as { port: number }).port)
    return url.href
  }

  /** Connections stay, new ones are accepted, and nothing is forwarded either way. */
  freeze(): void {
    this.#isFrozen = true
    for (const socket of this.#sockets()) socket.pause()
  }

  /** The server gets and does what it is asked; its answers wait until the proxy thaws. */
  holdAnswers(): void {
    for (const [, server] of this.#pairs) server.pause()
  }

  /** Forwards again, first of all what came meanwhile. */
  thaw(): void {
    this.#isFrozen = false
    for (const socket of this.#sockets()) socket.resume()
  }

  /** The server gets and does what it is asked; its answers are lost. */
  swallowAnswers(): void {
    this.#isSwallowing = true
  }

  /** Resets every connection, and forwards the next ones. */
  reset(): void {
    this.#isSwallowing = false
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets()) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket): void {
    const server = dial(Number(this.#serverUrl.port), this.#serverUrl.hostname)
    const pair = [client, server] as const
    this.#pairs.add(pair)
    client.on('data', (bytes) => server.write(bytes))
    server.on('data', (bytes) => this.#isSwallowing || client.write(bytes))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => {})
      socket.on('close', () => {
        other.end()
        this.#pairs.delete(pair)
      })
      if (this.#isFrozen) socket.pause()
    }
  }

  *#sockets(): Iterable<Socket> {
    for (const pair of this.#pairs) yield* pair
  }
}
