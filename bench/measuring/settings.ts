import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { runSql } from './run-sql'

/** What a run is told on the command line. */
export interface Settings {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** Within two minutes or so: fewer rows, short turns. */
  readonly isQuick: boolean
  readonly turns: number
  readonly turnMs: number
  readonly keys: number
  /** Only the rows and parts whose name contains this, say `get 64`, `latency` or `app`. */
  readonly only: string
  /** Another build of this package, by its folder `dist`: measured beside this one. */
  readonly against: string | undefined
}

export function readSettings(): Settings {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      turns: { type: 'string' },
      'turn-ms': { type: 'string' },
      only: { type: 'string' },
      against: { type: 'string' },
    },
  })
  const isQuick = values.quick
  return {
    databaseUrl: process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres',
    redisUrl: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
    isQuick,
    turns: Number(values.turns ?? (isQuick ? 3 : 5)),
    turnMs: Number(values['turn-ms'] ?? (isQuick ? 150 : 700)),
    keys: isQuick ? 10_000 : 100_000,
    only: values.only ?? positionals.join(' '),
    against: values.against,
  }
}

/** Machine, versions and settings that decide the figures. */
export async function describeMachine({ databaseUrl }: Settings): Promise<Record<string, string>> {
  const { rows } = await runSql(
    databaseUrl,
    `select version(), current_setting('shared_buffers') as buffers, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commits`,
  )
  const { version, buffers, fsync, commits } = rows[0] as Record<string, string>
  return {
    machine: `${cpus().length} cores, ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    postgres: `${version?.split(' on ')[0]}, shared_buffers ${buffers}, fsync ${fsync}, synchronous_commit ${commits}`,
    redis: redisVersion(),
  }
}

function redisVersion(): string {
  try {
    return execFileSync('redis-server', ['--version'], { encoding: 'utf8' }).match(/v=(\S+)/)?.[1] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
