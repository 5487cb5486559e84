import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Redis } from './redis'

/** What is stored under a key; `expiresAt` in epoch milliseconds. */
interface Stored {
  readonly type: string
  readonly value: Buffer
  readonly expiresAt: number | undefined
}

type Reply = string | number | Buffer | null | Error | Ok | readonly Reply[]

class Ok {
  constructor(readonly text = 'OK') {}
}

/** One database, for as much of Redis' protocol as an import needs, on machines that have no Redis. Keys as latin1: one character a byte. */
class Database {
  readonly #keys = new Map<string, Stored>()

  get size(): number {
    return this.#keys.size
  }

  clear(): void {
    this.#keys.clear()
  }

  answer(name: string, args: readonly Buffer[]): Reply {
    const key = args[0]?.toString('latin1') ?? ''
    switch (name) {
      case 'SET':
        return this.#put(key, { type: 'string', value: args[1] as Buffer, expiresAt: expiryOf(args.slice(2)) })
      case 'HSET':
        return this.#put(key, { type: 'hash', value: Buffer.alloc(0), expiresAt: undefined })
      case 'RPUSH':
        return this.#put(key, { type: 'list', value: Buffer.alloc(0), expiresAt: undefined })
      case 'GET':
        return this.#text(key)
      case 'DEL':
        return Number(this.#keys.delete(key))
      case 'MGET':
        return args.map((one) => this.#text(one.toString('latin1')))
      case 'PTTL':
        return this.#ttl(key)
      case 'TYPE':
        return new Ok(this.#live(key)?.type ?? 'none')
      case 'SCAN':
        return this.#scan(Number(key), args.slice(1))
      case 'EXPIRE':
        return this.#expire(key, Number(args[1]) * 1_000)
      case 'DBSIZE':
        return this.#keys.size
      default:
        return new Error(`ERR unknown command '${name}'`)
    }
  }

  #put(key: string, stored: Stored): Reply {
    this.#keys.set(key, stored)
    return new Ok()
  }

  #expire(key: string, ms: number): number {
    const stored = this.#live(key)
    if (stored !== undefined) this.#keys.set(key, { ...stored, expiresAt: Date.now() + ms })
    return Number(stored !== undefined)
  }

  #live(key: string): Stored | undefined {
    const stored = this.#keys.get(key)
    return stored?.expiresAt !== undefined && stored.expiresAt <= Date.now() ? undefined : stored
  }

  #text(key: string): Buffer | null {
    const stored = this.#live(key)
    return stored?.type === 'string' ? stored.value : null
  }

  #ttl(key: string): number {
    const stored = this.#live(key)
    if (stored === undefined) return -2
    return stored.expiresAt === undefined ? -1 : stored.expiresAt - Date.now()
  }

  /** Of patterns it knows only `prefix*`, and what is escaped in it. */
  #scan(from: number, options: readonly Buffer[]): Reply {
    const named = new Map<string, string>()
    for (let at = 0; at < options.length; at += 2)
      named.set(String(options[at]), (options[at + 1] as Buffer).toString('latin1'))
    const until = from + Number(named.get('COUNT') ?? 10)
    const prefix = (named.get('MATCH') ?? '*').slice(0, -1).replace(/\\(.)/g, '$1')
    const page = [...this.#keys.keys()].slice(from, until).filter((key) => key.startsWith(prefix))
    const next = until >= this.#keys.size ? 0 : until
    return [Buffer.from(String(next)), page.map((key) => Buffer.from(key, 'latin1'))]
  }
}

const databaseCount = 16

/** How it differs from a Redis: as proxies do, and servers of others. */
export interface FakeRedisHabits {
  /** Says OK to SELECT, and stays where it is. */
  readonly ignoresSelect?: boolean
  /** Does not know CLIENT INFO: Redis before 6.2. */
  readonly isOld?: boolean
  readonly isSentinel?: boolean
  /** Does not know CLIENT at all. */
  readonly knowsNoClients?: boolean
}

/** The databases of a server, and what it says of itself. */
class Store {
  readonly #habits: FakeRedisHabits
  readonly #databases = Array.from({ length: databaseCount }, () => new Database())
  readonly #runId = Math.random().toString(16).slice(2)

  constructor(habits: FakeRedisHabits) {
    this.#habits = habits
  }

  /** Of one connection, which remembers its database. */
  session(): (name: string, args: readonly Buffer[]) => Reply {
    let [selected, named] = [0, '']
    return (name, args) => {
      if (name === 'SELECT') {
        const index = Number(args[0])
        if (!(index < databaseCount)) return new Error('ERR DB index is out of range')
        if (!this.#habits.ignoresSelect) selected = index
        return new Ok()
      }
      if (name === 'CLIENT') {
        if (String(args[0]) === 'SETNAME') named = String(args[1])
        return this.#onClients(String(args[0]), `id=7 name=${named} db=${selected} sub=0\n`)
      }
      return this.#serverWide(name) ?? (this.#databases[selected] as Database).answer(name, args)
    }
  }

  #onClients(name: string, own: string): Reply {
    const { isOld, knowsNoClients } = this.#habits
    if (knowsNoClients) return new Error("ERR unknown command 'CLIENT'")
    if (name === 'INFO') return isOld ? new Error('ERR syntax error') : Buffer.from(own)
    return name === 'LIST' ? Buffer.from(`id=6 name= db=9 sub=0\n${own}`) : new Ok()
  }

  #serverWide(name: string): Reply | undefined {
    if (name === 'INFO') return this.#info()
    if (name !== 'FLUSHALL') return undefined
    for (const database of this.#databases) database.clear()
    return new Ok()
  }

  #info(): Buffer {
    const mode = this.#habits.isSentinel ? 'sentinel' : 'standalone'
    return Buffer.from(`# Server\r\nredis_mode:${mode}\r\nrun_id:${this.#runId}\r\n${this.#keyspace()}`)
  }

  #keyspace(): string {
    const lines = this.#databases.map(({ size }, index) => (size === 0 ? '' : `db${index}:keys=${size},expires=0\r\n`))
    return `# Keyspace\r\n${lines.join('')}`
  }
}

export async function startFakeRedis(habits: FakeRedisHabits = {}): Promise<Redis> {
  const store = new Store(habits)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket, store)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `redis://127.0.0.1:${port}/0`,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Commands between MULTI and EXEC are answered together, at EXEC. */
function serve(socket: Socket, store: Store): void {
  let received: Buffer = Buffer.alloc(0)
  let queued: Reply[] | undefined
  const answer = store.session()
  const reply = ([name, ...args]: readonly Buffer[]): Reply => {
    const command = String(name).toUpperCase()
    if (command === 'MULTI') queued = []
    else if (command === 'EXEC') {
      const answers = queued ?? []
      queued = undefined
      return answers
    } else if (queued === undefined) return answer(command, args)
    else queued.push(answer(command, args))
    return new Ok(command === 'MULTI' ? 'OK' : 'QUEUED')
  }
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    const answers: Buffer[] = []
    for (let found = commandIn(received); found !== undefined; found = commandIn(received)) {
      answers.push(...encoded(reply(found.command)))
      received = received.subarray(found.length)
    }
    socket.write(Buffer.concat(answers))
  })
}

/** The first command of what was received; undefined while it is not all there. */
function commandIn(received: Buffer): { command: Buffer[]; length: number } | undefined {
  let at = 0
  const line = () => {
    const end = received.indexOf('\r\n', at)
    if (end < 0) return undefined
    const number = Number(received.toString('latin1', at + 1, end))
    at = end + 2
    return number
  }
  const count = line()
  if (count === undefined) return undefined
  const command: Buffer[] = []
  for (let n = 0; n < count; n += 1) {
    const length = line()
    if (length === undefined || at + length + 2 > received.length) return undefined
    command.push(received.subarray(at, at + length))
    at += length + 2
  }
  return { command, length: at }
}

function encoded(reply: Reply): Buffer[] {
  if (reply === null) return [Buffer.from('$-1\r\n')]
  if (typeof reply === 'number') return [Buffer.from(`:${reply}\r\n`)]
  if (reply instanceof Ok) return [Buffer.from(`+${reply.text}\r\n`)]
  if (reply instanceof Error) return [Buffer.from(`-${reply.message}\r\n`)]
  if (Array.isArray(reply)) return [Buffer.from(`*${reply.length}\r\n`), ...reply.flatMap(encoded)]
  const bytes = Buffer.from(reply as Buffer)
  return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
}

function expiryOf(options: readonly Buffer[]): number | undefined {
  const unit = { PX: 1, EX: 1_000 }[String(options[0])]
  return unit === undefined ? undefined : Date.now() + Number(options[1]) * unit
}
