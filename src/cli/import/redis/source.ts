import { digestOf } from '../../../stash/import/seal'
import type { ImportSource, SourcePage } from '../../../stash/import/source'
import { redisAddress } from './address'
import { RedisCluster } from './cluster'
import { loadClient, RedisConnection, type RedisModule, type RedisTls } from './connection'
import { changed } from './failure'
import { RedisInfo } from './info'
import { RedisNode, type ScanOptions } from './node'

export interface RedisSourceOptions extends ScanOptions {
  readonly url: string
  readonly tls?: RedisTls | undefined
}

/** The strings of one database of Redis, or of all primaries of a cluster, one after the other. */
export class RedisSource implements ImportSource {
  readonly name: string
  readonly secret: string
  readonly notes: readonly string[]
  readonly #entry: RedisConnection
  readonly #nodes: readonly RedisNode[]
  readonly #cluster: RedisCluster | undefined
  /** Of the cluster, when it was opened. */
  readonly #layout: string | undefined
  readonly #match: string | undefined

  private constructor(
    entry: RedisConnection,
    nodes: readonly RedisNode[],
    { url, match }: RedisSourceOptions,
    cluster?: { all: RedisCluster; layout: string },
  ) {
    this.#entry = entry
    this.#nodes = nodes
    this.#cluster = cluster?.all
    this.#layout = cluster?.layout
    this.#match = match
    this.name = `${entry.address.name}${match === undefined ? '' : `${entry.address.name.includes('?') ? '&' : '?'}match=${match}`}`
    this.secret = url
    this.notes = notesOn(nodes, this.#cluster !== undefined)
  }

  /**
   * @param client default: the one that is installed beside this package
   * @throws {InvalidArgumentError} an address that will not do
   * @throws {PgStashError} Redis cannot be reached, or cannot be read as it was named
   */
  static async open(options: RedisSourceOptions, client?: RedisModule): Promise<RedisSource> {
    const address = redisAddress(options.url)
    const redis = client ?? (await loadClient())
    const tls = options.tls ?? {}
    const entry = await RedisConnection.open(redis, address, tls)
    try {
      const info = await RedisInfo.of(entry)
      if (!info.isCluster) return new RedisSource(entry, [new RedisNode(entry, info, options)], options)
      const all = await RedisCluster.open(redis, entry, tls)
      return await RedisSource.#ofCluster(entry, all, options)
    } catch (error) {
      entry.close()
      throw error
    }
  }

  static async #ofCluster(
    entry: RedisConnection,
    all: RedisCluster,
    options: RedisSourceOptions,
  ): Promise<RedisSource> {
    try {
      const layout = await all.layout()
      const nodes = await Promise.all(
        all.connections.map(async (node) => new RedisNode(node, await RedisInfo.of(node), options)),
      )
      return new RedisSource(entry, nodes, options, { all, layout })
    } catch (error) {
      for (const connection of all.connections) connection.close()
      throw error
    }
  }

  async epoch(): Promise<string | undefined> {
    const states = this.#nodes.map(({ info }) => info.state)
    return states.includes(undefined) ? undefined : digestOf([...states, this.#layout].join('\n'))
  }

  /** With a pattern nobody knows. */
  async size(): Promise<number | undefined> {
    if (this.#match !== undefined) return undefined
    return this.#nodes.reduce((sum, { info, connection }) => sum + info.keysIn(connection.address.database), 0)
  }

  /** A cursor is `node:cursor of SCAN`. */
  async *pages(from = '0:0'): AsyncGenerator<SourcePage, void> {
    let [at, cursor] = placeIn(from)
    for (; at < this.#nodes.length; at += 1, cursor = '0') {
      const isLastNode = at === this.#nodes.length - 1
      do {
        const page = await (this.#nodes[at] as RedisNode).page(cursor)
        cursor = page.cursor
        const next = cursor !== '0' ? `${at}:${cursor}` : isLastNode ? undefined : `${at + 1}:0`
        if (next === undefined) await this.#assertUnchanged()
        yield { ...page, next }
      } while (cursor !== '0')
    }
  }

  async close(): Promise<void> {
    for (const { connection } of this.#nodes) connection.close()
    this.#entry.close()
  }

  /** A key that moved from a primary still to be read to one that was read already was seen nowhere. */
  async #assertUnchanged(): Promise<void> {
    for (const node of this.#nodes) node.assertSame(await RedisInfo.of(node.connection))
    if ((await this.#cluster?.layout()) === this.#layout) return
    throw changed(this.#entry.address.name, 'slots of the cluster were moved, or a primary gave way to its replica')
  }
}

function placeIn(from: string): [at: number, cursor: string] {
  const [at, cursor] = from.split(':') as [string, string]
  return [Number(at), cursor]
}

function notesOn(nodes: readonly RedisNode[], isCluster: boolean): string[] {
  const [{ info, connection }] = nodes as [RedisNode]
  if (isCluster) return [`A cluster: all of its ${nodes.length} primaries are read.`]
  const others = info.besides(connection.address.database)
  return [
    ...(info.isReplica ? ['A replica: what its primary wrote in the last moment may not have come to it.'] : []),
    ...(info.isCutOff ? ['The replica has lost its primary: what it holds may be old.'] : []),
    ...(others.length > 0
      ? [`Not read: ${others.length === 1 ? 'database' : 'databases'} ${others.join(', ')}, with keys too.`]
      : []),
  ]
}
