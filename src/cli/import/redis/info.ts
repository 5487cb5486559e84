import { PgStashError } from '../../../errors'
import type { RedisConnection } from './connection'

/** What INFO says of a server. */
export class RedisInfo {
  readonly #fields: ReadonlyMap<string, string>

  private constructor(text: string) {
    const lines = text.split(/\r?\n/).map((line) => /^(\w+):(.*)$/.exec(line) ?? [])
    this.#fields = new Map(lines.flatMap(([, name, value]) => (name === undefined ? [] : [[name, value as string]])))
  }

  /** @throws {PgStashError} of a Sentinel, which holds no keys */
  static async of(connection: RedisConnection): Promise<RedisInfo> {
    const info = new RedisInfo(await connection.text(['INFO']))
    if (info.#fields.get('redis_mode') !== 'sentinel') return info
    throw new PgStashError(
      'IMPORT_SOURCE',
      `${connection.address.name} is a Sentinel, which holds no keys. Name the primary that it watches: redis-cli -p ${
        'port' in connection.address.place ? connection.address.place.port : 26379
      } SENTINEL GET-MASTER-ADDR-BY-NAME <name>.`,
    )
  }

  get isCluster(): boolean {
    return this.#fields.get('redis_mode') === 'cluster' || this.#fields.get('cluster_enabled') === '1'
  }

  get isReplica(): boolean {
    return this.#fields.get('role') === 'slave'
  }

  /** A replica without its primary: how old its data is, nobody knows. */
  get isCutOff(): boolean {
    return this.#fields.get('master_link_status') === 'down'
  }

  /**
   * As long as it stays, cursors hold: a cursor is a place in Redis' hash table, whose seed belongs to the process. Who becomes the replica of another
   * throws its keys away. undefined: the server does not tell.
   */
  get state(): string | undefined {
    const runId = this.#fields.get('run_id')
    return runId && [runId, this.#fields.get('role'), this.#fields.get('master_replid')].join(' ')
  }

  /** How many keys a database holds; 0 where nothing is said of it. */
  keysIn(database: number): number {
    return Number(/^keys=(\d+)/.exec(this.#fields.get(`db${database}`) ?? '')?.[1] ?? 0)
  }

  /** The other databases that hold keys. */
  besides(database: number): number[] {
    const numbers = [...this.#fields.keys()].flatMap((name) => /^db(\d+)$/.exec(name)?.[1] ?? []).map(Number)
    return numbers.filter((number) => number !== database).sort((a, b) => a - b)
  }
}
