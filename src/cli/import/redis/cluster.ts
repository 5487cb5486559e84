import { PgStashError } from '../../../errors'
import { hostAndPort, type RedisAddress } from './address'
import { RedisConnection, type RedisModule, type RedisTls } from './connection'
import { changed } from './failure'

const slotsOfAll = 16_384

type Endpoint = readonly [host: Buffer | null, port: number, id?: Buffer]
type SlotRange = readonly [first: number, last: number, primary: Endpoint, ...replicas: Endpoint[]]

/** The primaries of a cluster, each with a connection of its own, always in the same order. */
export class RedisCluster {
  readonly connections: readonly RedisConnection[]
  readonly #name: string

  private constructor(name: string, connections: readonly RedisConnection[]) {
    this.#name = name
    this.connections = connections
  }

  /** @param entry any of its nodes, as it was named */
  static async open(redis: RedisModule, entry: RedisConnection, tls: RedisTls): Promise<RedisCluster> {
    const connections: RedisConnection[] = []
    try {
      for (const address of await primaries(entry))
        connections.push(await RedisConnection.open(redis, address, tlsOf(address, entry.address, tls)))
    } catch (error) {
      for (const connection of connections) connection.close()
      throw error
    }
    return new RedisCluster(entry.address.name, connections)
  }

  /**
   * Who has which slots, by what each primary says of itself, in one text to compare.
   * @throws {PgStashError} slots are on the move, or some are nobody's: keys would be missed
   */
  async layout(): Promise<string> {
    const own = await Promise.all(this.connections.map(async (node) => ownLine(await node.text(['CLUSTER', 'NODES']))))
    if (own.some(({ slots }) => slots.some((slot) => slot.startsWith('['))))
      throw changed(this.#name, 'slots of the cluster are being moved')
    const covered = own.flatMap(({ slots }) => slots).reduce((sum, slot) => sum + slotsIn(slot), 0)
    if (covered !== slotsOfAll) {
      const missing = `${slotsOfAll - covered} of ${slotsOfAll} slots are nobody's, and their keys cannot be read`
      throw new PgStashError(
        'IMPORT_SOURCE',
        `The cluster at ${this.#name} is not whole: ${missing}. See redis-cli --cluster check.`,
      )
    }
    return own.map(({ id, epoch, slots }) => [id, epoch, ...slots].join(' ')).join('\n')
  }
}

async function primaries(entry: RedisConnection): Promise<RedisAddress[]> {
  const ranges = await entry.send<SlotRange[]>(['CLUSTER', 'SLOTS'])
  const places = new Map(
    ranges.map(([, , [host, port, id]]) => [String(id ?? `${host}:${port}`), placeOf(host, port, entry.address)]),
  )
  const ordered = [...places].sort(([a], [b]) => (a < b ? -1 : 1))
  return ordered.map(([, place]) => ({
    ...entry.address,
    place,
    name: `${schemeOf(entry.address)}//${hostAndPort(place)}/${entry.address.database}`,
  }))
}

/** A node that does not know its own address is where it was found. */
function placeOf(host: Buffer | null, port: number, { place }: RedisAddress): { host: string; port: number } {
  const told = host === null ? '' : String(host)
  const found = 'host' in place ? place.host : '127.0.0.1'
  return { host: told === '' || told === '?' ? found : told, port }
}

const schemeOf = ({ isTls }: RedisAddress): string => (isTls ? 'rediss:' : 'redis:')

/** Nodes told as bare addresses show the certificate of the name that was asked for. */
function tlsOf({ place }: RedisAddress, { place: named }: RedisAddress, tls: RedisTls): RedisTls {
  const isBare = 'host' in place && isNumeric(place.host)
  if (tls.servername !== undefined || !isBare || !('host' in named) || isNumeric(named.host)) return tls
  return { ...tls, servername: named.host }
}

const isNumeric = (host: string): boolean => /^[\d.]+$|:/.test(host)

/** `<id> <address> <flags> <primary> <ping> <pong> <epoch> <link> <slots…>`; a slot on the move is in brackets. */
function ownLine(nodes: string): { id: string; epoch: string; slots: string[] } {
  const own = nodes.split('\n').find((line) => /^\S+ \S+ \S*\bmyself\b/.test(line)) ?? ''
  const [id = '', , , , , , epoch = '', , ...slots] = own.trim().split(' ')
  return { id, epoch, slots }
}

function slotsIn(range: string): number {
  const [first, last = first] = range.split('-').map(Number) as [number, number?]
  return last - first + 1
}
