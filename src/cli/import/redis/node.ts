import type { SourceEntry } from '../../../stash/import/source'
import type { Command, RedisConnection } from './connection'
import { changed } from './failure'
import type { RedisInfo } from './info'

/** What PTTL answers for a key without expiry; below it: there is no such key. */
const noExpiry = -1

type Found = readonly [value: Buffer | Error | null, ttl: number | Error]

/** A page of keys as it is read: what there was, and why the others were not taken. */
export interface NodePage {
  readonly entries: readonly SourceEntry[]
  readonly skipped: readonly string[]
  readonly readAt: number
  /** Where SCAN goes on; '0': that was all. */
  readonly cursor: string
}

export interface ScanOptions {
  /** Only keys that match this glob. */
  readonly match?: string | undefined
  readonly keysPerPage: number
}

/**
 * The strings of one Redis. SCAN returns every key that is there from beginning to end at least once; one that is there for a part of
 * the time may be missed, one may come twice.
 */
export class RedisNode {
  readonly connection: RedisConnection
  readonly info: RedisInfo
  readonly #options: ScanOptions

  constructor(connection: RedisConnection, info: RedisInfo, options: ScanOptions) {
    this.connection = connection
    this.info = info
    this.#options = options
  }

  async page(from: string): Promise<NodePage> {
    const { match, keysPerPage } = this.#options
    const filter = match === undefined ? [] : ['MATCH', match]
    const scan = ['SCAN', from, ...filter, 'COUNT', String(keysPerPage)]
    const [cursor, keys] = await this.connection.send<[Buffer, Buffer[]]>(scan)
    return { ...(await this.#read(keys)), cursor: cursor.toString() }
  }

  async #read(keys: readonly Buffer[]): Promise<Omit<NodePage, 'cursor'>> {
    const readAt = performance.now()
    if (keys.length === 0) return { entries: [], skipped: [], readAt }
    const found = this.info.isCluster ? await this.#oneByOne(keys) : await this.#together(keys)
    const entries: SourceEntry[] = []
    const unread: Buffer[] = []
    keys.forEach((key, at) => {
      const entry = entryOf(key, found[at] as Found)
      if (entry === undefined) unread.push(key)
      else entries.push(entry)
    })
    return { entries, skipped: await Promise.all(unread.map((key) => this.#reasonFor(key))), readAt }
  }

  /** In one transaction: a value and the ttl of another that replaced it would make an entry that never was. MGET gives nothing for other types. */
  async #together(keys: readonly Buffer[]): Promise<Found[]> {
    const ttls = keys.map((key): Command => ['PTTL', key])
    const replies = await this.connection.sendAll([['MULTI'], ['MGET', ...keys], ...ttls, ['EXEC']])
    const [values, ...left] = replies.at(-1) as [(Buffer | null)[], ...number[]]
    return keys.map((_, at) => [values[at] as Buffer | null, left[at] as number])
  }

  /** A transaction of a cluster is of one slot, and the keys of a page are of many. */
  async #oneByOne(keys: readonly Buffer[]): Promise<Found[]> {
    const perKey = 4
    const replies = await this.connection.sendAll(
      keys.flatMap((key) => [['MULTI'], ['GET', key], ['PTTL', key], ['EXEC']]),
    )
    return keys.map((_, at) => replies[at * perKey + perKey - 1] as Found)
  }

  async #reasonFor(key: Buffer): Promise<string> {
    const type = await this.connection.text(['TYPE', key])
    // Gone since SCAN; or gone, and written again since: then it was not there all the time.
    return type === 'none' || type === 'string' ? 'expired' : type
  }

  /** @throws {PgStashError} it is no longer the server that it was at the beginning */
  assertSame(now: RedisInfo): void {
    if (now.state === this.info.state) return
    throw changed(this.connection.address.name, 'the server was restarted, or became the replica of another')
  }
}

function entryOf(key: Buffer, [value, ttl]: Found): SourceEntry | undefined {
  if (!Buffer.isBuffer(value) || typeof ttl !== 'number') return undefined
  if (ttl === noExpiry) return { key, value, ttl: null }
  return ttl > 0 ? { key, value, ttl } : undefined
}
