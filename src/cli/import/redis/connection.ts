import { PgStashError } from '../../../errors'
import type { RedisAddress } from './address'
import { toldFailure } from './failure'

export type RedisModule = typeof import('@redis/client')
type RedisClient = ReturnType<RedisModule['createClient']>
export type Command = readonly (string | Buffer)[]

/** How the certificate of the server is judged, and what it is shown. PEM. */
export interface RedisTls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly servername?: string | undefined
}

const connectMs = 5_000
const answerMs = 60_000

/** One connection to the database that its address names, and to no other. */
export class RedisConnection {
  readonly address: RedisAddress
  readonly #client: RedisClient
  /** Replies are bytes: read as text, those that are no UTF-8 would be others. */
  readonly #asBytes: { typeMapping: Record<number, unknown> }
  /** Who waits for an answer: some failures of a connection answer no command. */
  readonly #waiting = new Set<(error: unknown) => void>()

  private constructor(client: RedisClient, redis: RedisModule, address: RedisAddress) {
    this.address = address
    this.#client = client
    // Not withTypeMapping(): sendCommand does not see it.
    this.#asBytes = { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } }
    client.on('error', (error: unknown) => {
      for (const reject of this.#waiting) reject(error)
    })
  }

  /** @throws {PgStashError} with what Redis said, and what to do next */
  static async open(redis: RedisModule, address: RedisAddress, tls: RedisTls = {}): Promise<RedisConnection> {
    const connection = new RedisConnection(redis.createClient(clientOptions(redis, address, tls)), redis, address)
    try {
      await connection.#answered(connection.#client.connect(), connectMs)
      await connection.#select(address.database)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  async send<Reply = unknown>(command: Command): Promise<Reply> {
    const [reply] = await this.sendAll([command])
    return reply as Reply
  }

  /** In one go, and with nothing in between. */
  sendAll(commands: readonly Command[]): Promise<unknown[]> {
    const options = this.#asBytes as object
    return this.#answered(
      Promise.all(commands.map((command) => this.#client.sendCommand(command as string[], options))),
      answerMs,
    )
  }

  async text(command: Command): Promise<string> {
    return String(await this.send(command))
  }

  close(): void {
    try {
      this.#client.destroy()
    } catch {
      // It was not open.
    }
  }

  /** Clients differ in what they make of a database (5.8.0 forgets it), so none is told; and a proxy may say OK and do nothing. */
  async #select(database: number): Promise<void> {
    if (database !== 0) await this.send(['SELECT', String(database)])
    const read = await this.#databaseRead()
    if (read === database || (read === undefined && database === 0)) return
    const fact = read === undefined ? 'does not say which database it reads' : `reads database ${read}`
    throw new PgStashError(
      'IMPORT_SOURCE',
      `Redis at ${this.address.name} ${fact}, so nothing was read. Name the server itself, not a proxy; where there is one database only, end --from with /0.`,
    )
  }

  /** undefined: the server cannot tell. */
  async #databaseRead(): Promise<number | undefined> {
    const info = await this.#unlessUnknown(['CLIENT', 'INFO'])
    return info === undefined ? this.#databaseListed() : databaseIn(info)
  }

  /** Before Redis 6.2. */
  async #databaseListed(): Promise<number | undefined> {
    const name = `pgstash-import-${process.pid}-${Date.now()}`
    if ((await this.#unlessUnknown(['CLIENT', 'SETNAME', name])) === undefined) return undefined
    const list = await this.#unlessUnknown(['CLIENT', 'LIST'])
    return databaseIn(list?.split('\n').find((line) => line.includes(` name=${name} `)) ?? '')
  }

  #unlessUnknown(command: Command): Promise<string | undefined> {
    return this.text(command).catch((error: PgStashError) => {
      if (
        /^ERR .*(unknown|syntax|not supported|wrong number)/i.test(String((error.cause as Error | undefined)?.message))
      )
        return undefined
      throw error
    })
  }

  async #answered<T>(reply: Promise<T>, limitMs: number): Promise<T> {
    try {
      return await this.#unlessBroken(reply, limitMs)
    } catch (error) {
      throw toldFailure(this.address, error)
    }
  }

  #unlessBroken<T>(reply: Promise<T>, limitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs)
      const forget = () => {
        clearTimeout(timer)
        this.#waiting.delete(reject)
      }
      this.#waiting.add(reject)
      reply.then(resolve, reject).finally(forget)
    })
  }
}

export async function loadClient(): Promise<RedisModule> {
  try {
    return await import('@redis/client')
  } catch (cause) {
    const message = 'reading Redis needs its client, version 5 or 6, beside pgstash. Run: npm install @redis/client@5'
    throw new PgStashError('REDIS_CLIENT_MISSING', message, { cause })
  }
}

function clientOptions(redis: RedisModule, { place, isTls, username, password }: RedisAddress, tls: RedisTls) {
  // Nobody waits in front of a Redis that is not there: a re-run goes on from where this one stops.
  const socket = {
    ...place,
    reconnectStrategy: false,
    connectTimeout: connectMs,
    ...(isTls ? { tls: true, ...given(tls) } : {}),
  }
  return {
    socket,
    ...given({ username, password }),
    disableClientInfo: true,
    // Version 6 speaks RESP3 unless told, which takes a Redis 6 and one right more.
    ...('DEFAULT_RESP' in redis ? { RESP: 2 } : {}),
  } as Parameters<RedisModule['createClient']>[0]
}

function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}

function databaseIn(info: string): number | undefined {
  const [, database] = /(?:^| )db=(\d+)/.exec(info) ?? []
  return database === undefined ? undefined : Number(database)
}
