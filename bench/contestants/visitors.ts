import { HttpConnection } from './http-connection'

const visitors = 1_000
const pages = 1_000
/** Of all requests. */
const logins = 0.01
const writes = 0.05

interface Visitor {
  readonly name: string
  readonly address: string
  cookie: string
}

/** A crowd that shares some connections to an app, as they do behind a proxy that keeps them. */
export class Visitors {
  readonly #connections: readonly HttpConnection[]
  /** Nobody asks twice at once: by the cookie of before his login he would have no session. */
  readonly #idle: Visitor[] = Array.from({ length: visitors }, (_, at) => ({
    name: `visitor-${at}`,
    address: `10.0.${at >> 8}.${at & 255}`,
    cookie: '',
  }))

  private constructor(connections: readonly HttpConnection[]) {
    this.#connections = connections
  }

  /** Everybody is logged in and every page written when it resolves. */
  static async open(port: number, connections: number): Promise<Visitors> {
    const opened = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(port)))
    const crowd = new Visitors(opened)
    const arriving = [...crowd.#idle]
    await crowd.#each(() => arriving.pop(), login)
    const unwritten = Array.from({ length: pages }, (_, at) => at)
    await crowd.#each(
      () => unwritten.pop(),
      (connection, page) => crowd.#withSomeone((visitor) => visit(connection, visitor, 'PUT', page)),
    )
    return crowd
  }

  /** Requests on all connections, each one after the other, for so long: how long each took, in milliseconds. */
  async visit(durationMs: number): Promise<number[]> {
    const latencies: number[] = []
    const until = performance.now() + durationMs
    const now = () => {
      const at = performance.now()
      return at < until ? at : undefined
    }
    await this.#each(now, async (connection, from) => {
      await this.#withSomeone((visitor) => act(connection, visitor))
      latencies.push(performance.now() - from)
    })
    return latencies
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }

  async #withSomeone(work: (visitor: Visitor) => Promise<void>): Promise<void> {
    const at = Math.floor(Math.random() * this.#idle.length)
    const visitor = this.#idle[at] as Visitor
    this.#idle[at] = this.#idle[this.#idle.length - 1] as Visitor
    this.#idle.pop()
    await work(visitor)
    this.#idle.push(visitor)
  }

  /** On every connection, one after the other, until there is nothing next. */
  async #each<Next>(next: () => Next | undefined, work: (connection: HttpConnection, next: Next) => Promise<void>) {
    const workThrough = async (connection: HttpConnection) => {
      for (let one = next(); one !== undefined; one = next()) await work(connection, one)
    }
    await Promise.all(this.#connections.map(workThrough))
  }
}

function act(connection: HttpConnection, visitor: Visitor): Promise<void> {
  const chance = Math.random()
  if (chance < logins) return login(connection, visitor)
  return visit(connection, visitor, chance < logins + writes ? 'PUT' : 'GET', Math.floor(Math.random() * pages))
}

async function login(connection: HttpConnection, visitor: Visitor): Promise<void> {
  const { status, cookie } = await connection.ask('POST', `/login/${visitor.name}`, headersOf(visitor))
  if (status !== 204 || cookie === undefined) throw new Error(`The app answered a login with ${status}`)
  visitor.cookie = cookie
}

async function visit(connection: HttpConnection, visitor: Visitor, method: 'GET' | 'PUT', page: number): Promise<void> {
  const { status } = await connection.ask(method, `/pages/${page}`, headersOf(visitor))
  if (status !== (method === 'GET' ? 200 : 204))
    throw new Error(`The app answered ${method} of page ${page} with ${status}`)
}

function headersOf({ address, cookie }: Visitor): string {
  return `X-Forwarded-For: ${address}\r\n${cookie === '' ? '' : `Cookie: ${cookie}\r\n`}`
}
