import type { TypeMapping } from '@redis/client'
import { PgStashError } from '../errors'
import type { ImportSource, SourceEntry, SourcePage } from '../stash/import-source'

type RedisModule = typeof import('@redis/client')
type RedisClient = ReturnType<RedisModule['createClient']>
type Command = readonly (string | Buffer)[]

export interface RedisSourceOptions {
  readonly url: string
  /** Only keys that match this glob. */
  readonly match?: string | undefined
  readonly keysPerPage: number
}

/** What PTTL answers for a key without expiry; below it: there is no such key. */
const noExpiry = -1

/**
 * The strings of a Redis database. SCAN returns every key that is there from beginning to end at least once; one that is there for a part of
 * the time may be missed, one may come twice.
 */
export class RedisSource implements ImportSource {
  readonly name: string
  readonly secret: string
  readonly #client: RedisClient
  /** Keys and values are bytes: read as text, those that are no UTF-8 would be others. */
  readonly #asBytes: { typeMapping: TypeMapping }
  readonly #options: RedisSourceOptions

  private constructor(client: RedisClient, { RESP_TYPES }: RedisModule, options: RedisSourceOptions) {
    this.#client = client
    // Not withTypeMapping(): sendCommand does not see it.
    this.#asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }
    this.#options = options
    this.name = nameOf(options)
    this.secret = options.url
  }

  static async open(options: RedisSourceOptions): Promise<RedisSource> {
    const redis = await loadClient()
    // Nobody waits in front of a Redis that is not there: a re-run goes on from where this one stops.
    const client = redis.createClient({ url: options.url, socket: { reconnectStrategy: false } })
    // Failures reach us by rejection; without a listener they would end the process.
    client.on('error', () => {})
    const source = new RedisSource(client as RedisClient, redis, options)
    await source.#told(client.connect())
    return source
  }

  /** A cursor is a place in Redis' hash table, whose seed belongs to the process: a restart or failover moves every key. */
  async epoch(): Promise<string | undefined> {
    const info = await this.#client.info('server').catch(() => '')
    return /^run_id:(\w+)/m.exec(String(info))?.[1]
  }

  /** With a pattern nobody knows. */
  async size(): Promise<number | undefined> {
    return this.#options.match === undefined ? this.#told(this.#client.dbSize()) : undefined
  }

  async *pages(from = '0'): AsyncGenerator<SourcePage, void> {
    const { match, keysPerPage } = this.#options
    const filter = match === undefined ? [] : ['MATCH', match]
    let cursor = from
    do {
      const scanned = await this.#send<[Buffer, Buffer[]]>(['SCAN', cursor, ...filter, 'COUNT', String(keysPerPage)])
      cursor = scanned[0].toString()
      yield await this.#read(scanned[1], cursor === '0' ? undefined : cursor)
    } while (cursor !== '0')
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  async #read(keys: readonly Buffer[], next: string | undefined): Promise<SourcePage> {
    const readAt = performance.now()
    if (keys.length === 0) return { entries: [], skipped: [], readAt, next }
    const [values, ttls] = await this.#valuesOf(keys)
    const entries: SourceEntry[] = []
    const unread: Buffer[] = []
    keys.forEach((key, at) => {
      const [value, ttl] = [values[at], ttls[at] as number]
      if (value && (ttl === noExpiry || ttl > 0)) entries.push({ key, value, ttl: ttl === noExpiry ? null : ttl })
      else unread.push(key)
    })
    return { entries, skipped: await Promise.all(unread.map((key) => this.#reasonFor(key))), readAt, next }
  }

  /** In one transaction: a value and the ttl of another that replaced it would make an entry that never was. MGET gives nothing for other types. */
  async #valuesOf(keys: readonly Buffer[]): Promise<[values: (Buffer | null)[], ttls: number[]]> {
    const commands: Command[] = [['MULTI'], ['MGET', ...keys], ...keys.map((key) => ['PTTL', key]), ['EXEC']]
    const replies = await Promise.all(commands.map((command) => this.#send(command)))
    const [values, ...ttls] = replies.at(-1) as [(Buffer | null)[], ...number[]]
    return [values, ttls]
  }

  async #reasonFor(key: Buffer): Promise<string> {
    const type = String(await this.#send(['TYPE', key]))
    // Gone since SCAN; or gone, and written again since: then it was not there all the time.
    return type === 'none' || type === 'string' ? 'expired' : type
  }

  #send<Reply = unknown>(command: Command): Promise<Reply> {
    return this.#told(this.#client.sendCommand(command, this.#asBytes) as Promise<Reply>)
  }

  #told<T>(reply: Promise<T>): Promise<T> {
    return reply.catch((error: unknown) => {
      const cause = error instanceof AggregateError ? error.errors[0] : error
      throw new PgStashError('IMPORT_SOURCE', `Redis at ${this.name} says: ${messageOf(cause)}. Check --from.`, {
        cause,
      })
    })
  }
}

async function loadClient(): Promise<RedisModule> {
  try {
    return await import('@redis/client')
  } catch (cause) {
    const message = 'reading Redis needs its client, version 5 or 6, beside pgstash. Run: npm install @redis/client@5'
    throw new PgStashError('REDIS_CLIENT_MISSING', message, { cause })
  }
}

function nameOf({ url, match }: RedisSourceOptions): string {
  const { protocol, hostname, port, pathname } = new URL(url)
  const database = pathname.length > 1 ? pathname : '/0'
  return `${protocol}//${hostname}:${port || 6379}${database}${match === undefined ? '' : `?match=${match}`}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
