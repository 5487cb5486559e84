import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { createClient } from '@redis/client'
import pg from 'pg'
import type { Settings } from './settings'

/** What a stretch of work has cost, in all. CPU is user and system together, in microseconds; NaN where it cannot be seen. */
export interface Cost {
  readonly nodeUs: number
  /** Of all backends of PostgreSQL, or of Redis: whoever served. */
  readonly serverUs: number
  /** Writes to sockets: what waits for an answer together is one. */
  readonly roundTrips: number
}

/**
 * Reads off what one contestant at a time costs. Whoever else is connected is idle meanwhile, so nobody needs to know whose backend is whose. The server has to be on
 * this machine, and the machine a Linux: the kernel counts there, in nanoseconds.
 */
export class CostMeter {
  readonly #admin: pg.Client
  readonly #redisPid: number | undefined

  private constructor(admin: pg.Client, redisPid: number | undefined) {
    this.#admin = admin
    this.#redisPid = redisPid
  }

  static async open({ databaseUrl, redisUrl }: Settings): Promise<CostMeter> {
    const admin = new pg.Client(databaseUrl)
    await admin.connect()
    countWrites()
    return new CostMeter(admin, await redisProcess(redisUrl))
  }

  /** Begins to count; the answer ends it. */
  async start(): Promise<() => Promise<Cost>> {
    const before = cpuOf(await this.#pids())
    const node = process.cpuUsage()
    const trips = writes
    return async () => {
      const spent = process.cpuUsage(node)
      const roundTrips = writes - trips
      const after = cpuOf(await this.#pids())
      return { nodeUs: spent.user + spent.system, serverUs: growth(before, after), roundTrips }
    }
  }

  async close(): Promise<void> {
    await this.#admin.end()
  }

  async #pids(): Promise<number[]> {
    const { rows } = await this.#admin.query<{ pid: number }>(
      `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    )
    const pids = rows.map(({ pid }) => pid)
    return this.#redisPid === undefined ? pids : [...pids, this.#redisPid]
  }
}

let writes = 0
let isCounting = false

/** One call of either is one system call. */
function countWrites(): void {
  if (isCounting) return
  isCounting = true
  const prototype = Socket.prototype as unknown as Record<'_write' | '_writev', (...given: unknown[]) => unknown>
  for (const verb of ['_write', '_writev'] as const) {
    const original = prototype[verb]
    prototype[verb] = function (this: unknown, ...given: unknown[]) {
      writes += 1
      return original.apply(this, given)
    }
  }
}

async function redisProcess(url: string): Promise<number | undefined> {
  const client = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 500 } })
  client.on('error', () => {})
  try {
    await client.connect()
    const said = await client.info('server')
    client.destroy()
    return Number(/process_id:(\d+)/.exec(said)?.[1])
  } catch {
    return undefined
  }
}

/** By process, in microseconds: the first field of schedstat is the time it was on a core. */
function cpuOf(pids: readonly number[]): Map<number, number> {
  return new Map(pids.flatMap((pid) => (isSeen(pid) ? [[pid, spentBy(pid)] as const] : [])))
}

function spentBy(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000
}

function isSeen(pid: number): boolean {
  try {
    spentBy(pid)
    return true
  } catch {
    return false
  }
}

/** Who came meanwhile began at nothing. */
function growth(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  if (after.size === 0) return Number.NaN
  let sum = 0
  for (const [pid, us] of after) sum += us - (before.get(pid) ?? 0)
  return sum
}
