import { readFileSync } from 'node:fs'
import { createClient } from '@redis/client'
import pg from 'pg'
import type { Settings } from './settings'

/**
 * CPU of all backends of PostgreSQL and of Redis. One contestant at a time is at work; whoever else is connected is idle meanwhile, so nobody needs to know whose backend is
 * whose. The servers have to be on this machine, and the machine a Linux: the kernel counts there, in nanoseconds.
 */
export class ServerCpu {
  readonly #admin: pg.Client
  readonly #redisPid: number | undefined

  private constructor(admin: pg.Client, redisPid: number | undefined) {
    this.#admin = admin
    this.#redisPid = redisPid
  }

  static async open({ databaseUrl, redisUrl }: Settings): Promise<ServerCpu> {
    const admin = new pg.Client(databaseUrl)
    await admin.connect()
    return new ServerCpu(admin, await redisProcess(redisUrl))
  }

  /** Whether a Redis answers. */
  get seesRedis(): boolean {
    return this.#redisPid !== undefined
  }

  /** Begins to count; the answer ends it, in microseconds; NaN where nothing can be seen. */
  async start(): Promise<() => Promise<number>> {
    const before = cpuOf(await this.#pids())
    return async () => growth(before, cpuOf(await this.#pids()))
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
