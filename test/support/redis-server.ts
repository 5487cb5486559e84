import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port'
import { sleep } from './sleep'

/** A Redis that a test may fill. */
export interface Redis {
  readonly url: string
  close(): Promise<void>
}

/** Whether this machine has a `redis-server`: the tests ask for none. */
export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0

/** A Redis of its own on a free port; nothing of it reaches the disk. */
export async function startRedisServer(): Promise<Redis> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'pgstash-redis-'))
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    directory,
  ]
  const child = spawn('redis-server', settings, { stdio: 'ignore' })
  while (!(await accepts(port))) await sleep(20)
  return {
    url: `redis://127.0.0.1:${port}/0`,
    async close() {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
