import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Redis } from './redis-server'

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

/** Speaks as much of Redis' protocol as an import needs, for machines that have no Redis. Keys as latin1: one character a byte. */
class Store {
  readonly #keys = new Map<string, Stored>()
  readonly #runId = Math.random().toString(16).slice(2)

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
      case 'DBSIZE':
        return this.#keys.size
      case 'FLUSHALL':
        this.#keys.clear()
        return new Ok()
      case 'INFO':
        return Buffer.from(`# Server\r\nrun_id:${this.#runId}\r\n`)
      case 'SELECT':
      case 'CLIENT':
        return new Ok()
      default:
        return new Error(`ERR unknown command '${name}'`)
    }
  }

  #put(key: string, stored: Stored): Reply {
    this.#keys.set(key, stored)
    return new Ok()
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

  /** Of patterns it knows only `prefix*`. */
  #scan(from: number, options: readonly Buffer[]): Reply {
    const named = new Map<string, string>()
    for (let at = 0; at < options.length; at += 2)
      named.set(String(options[at]), (options[at + 1] as Buffer).toString('latin1'))
    const until = from + Number(named.get('COUNT') ?? 10)
    const prefix = (named.get('MATCH') ?? '*').slice(0, -1)
    const page = [...this.#keys.keys()].slice(from, until).filter((key) => key.startsWith(prefix))
    const next = until >= this.#keys.size ? 0 : until
    return [Buffer.from(String(next)), page.map((key) => Buffer.from(key, 'latin1'))]
  }
}

export async function startFakeRedis(): Promise<Redis> {
  const store = new Store()
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
  const reply = ([name, ...args]: readonly Buffer[]): Reply => {
    const command = String(name).toUpperCase()
    if (command === 'MULTI') queued = []
    else if (command === 'EXEC') {
      const answers = queued ?? []
      queued = undefined
      return answers
    } else if (queued === undefined) return store.answer(command, args)
    else queued.push(store.answer(command, args))
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
  return String(options[0]) === 'PX' ? Date.now() + Number(options[1]) : undefined
}
