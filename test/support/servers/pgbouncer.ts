import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accepting } from './accepting'
import { freePort } from './free-port'
import { unprivilegedUser } from './unprivileged-user'

const binary = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'].find(existsSync)

/** Whether this machine has a PgBouncer: the tests ask for none. */
export const hasPgBouncer = binary !== undefined

/** A PgBouncer in transaction mode before a server, with few server connections, so that clients take turns on them. */
export class PgBouncer {
  readonly #process: ChildProcess
  readonly #directory: string

  private constructor(
    readonly url: string,
    process: ChildProcess,
    directory: string,
  ) {
    this.#process = process
    this.#directory = directory
  }

  /**
   * @param user whom the server sees, whoever connects
   * @param ownSettings `name=value`, beside those of all tests
   */
  static async before(serverUrl: string, user = 'postgres', ownSettings: readonly string[] = []): Promise<PgBouncer> {
    const port = await freePort()
    const directory = await mkdtemp(join(tmpdir(), 'pgstash-bouncer-'))
    const file = join(directory, 'pgbouncer.ini')
    const settings = [
      'listen_addr=127.0.0.1',
      `listen_port=${port}`,
      'auth_type=any',
      'pool_mode=transaction',
      'default_pool_size=3',
      ...ownSettings,
    ]
    const database = `* = host=127.0.0.1 port=${new URL(serverUrl).port} user=${user}`
    await writeFile(file, ['[databases]', database, '[pgbouncer]', ...settings, 'unix_socket_dir=', ''].join('\n'))
    await chmod(directory, 0o755)
    const process = spawn(binary as string, ['-q', file], { ...unprivilegedUser(), stdio: 'ignore' })
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    await accepting(url)
    return new PgBouncer(url, process, directory)
  }

  async stop(): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await exit
    await rm(this.#directory, { recursive: true, force: true })
  }
}
