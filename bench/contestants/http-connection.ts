import { connect, type Socket } from 'node:net'

export interface HttpAnswer {
  readonly status: number
  /** What the client is to send as its cookie from now on. */
  readonly cookie: string | undefined
}

/** One connection that is kept, with one request at a time; as little of a client as there can be, since the cores are those of the app and of its servers too. */
export class HttpConnection {
  readonly #socket: Socket
  #received = ''
  #resolve: ((answer: HttpAnswer) => void) | undefined
  #reject: ((error: Error) => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1').setNoDelay()
    socket.on('data', (part: string) => this.#receive(part))
    socket.on('error', (error) => this.#reject?.(error))
    socket.on('close', () => this.#reject?.(new Error('The app closed the connection')))
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => resolve(new HttpConnection(socket)))
      socket.once('error', reject)
    })
  }

  /** @param headers each with its end of line */
  ask(method: string, path: string, headers: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) throw new Error('The app closed the connection')
      this.#resolve = resolve
      this.#reject = reject
      const length = method === 'GET' ? '' : 'Content-Length: 0\r\n'
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n${length}${headers}\r\n`, 'latin1')
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  /** An answer without a length has no body: those of this app are 204. */
  #receive(part: string): void {
    this.#received += part
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#received.slice(0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#received.length < end + 4 + length) return
    this.#received = ''
    this.#resolve?.({ status: Number(head.slice(9, 12)), cookie: /\r\nset-cookie: ([^;]+)/i.exec(head)?.[1] })
  }
}
