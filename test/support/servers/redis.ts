import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '@redis/client'
import { sleep } from '../sleep'
import { freePort } from './free-port'

/** A Redis that a test may fill. */
export interface Redis {
  readonly url: string
  close(): Promise<void>
}

/** Whether this machine has a `redis-server`: the tests ask for none. */
export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0

/** Whether it can be asked with TLS: certificates are made by `openssl`. */
export const hasTls = hasRedisServer && spawnSync('openssl', ['version']).status === 0

/** A Redis of its own on a free port; nothing of it reaches the disk. */
export async function startRedisServer(more: readonly string[] = []): Promise<Redis> {
  const server = await Server.start((port) => ['--port', String(port), ...more])
  return { url: `redis://127.0.0.1:${server.port}/0`, close: () => server.close() }
}

/** With the files of its certificates. */
export interface TlsRedis extends Redis {
  /** Of an authority that nobody trusts. */
  readonly ca: string
  /** What a client may show; for `localhost` and `redis.example`, as the server's own. */
  readonly cert: string
  readonly key: string
  readonly port: number
}

/** @param more `--tls-auth-clients yes`: clients have to show a certificate */
export async function startTlsRedis(more: readonly string[] = ['--tls-auth-clients', 'no']): Promise<TlsRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'pgstash-tls-'))
  const [ca, cert, key] = (await makeCertificates(directory)) as [string, string, string]
  const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key]
  const server = await Server.start((port) => ['--port', '0', '--tls-port', String(port), ...files, ...more])
  const close = async () => {
    await server.close()
    await rm(directory, { recursive: true, force: true })
  }
  return { url: `rediss://localhost:${server.port}/0`, port: server.port, ca, cert, key, close }
}

async function makeCertificates(directory: string): Promise<string[]> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: directory })
  const request = ['req', '-newkey', 'rsa:2048', '-nodes']
  await openssl(...request, '-x509', '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=nobody')
  await openssl(...request, '-keyout', 'it.key', '-out', 'it.csr', '-subj', '/CN=localhost')
  await writeFile(join(directory, 'names'), 'subjectAltName=DNS:localhost,DNS:redis.example')
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
  await openssl('x509', '-req', '-in', 'it.csr', '-out', 'it.crt', ...signed)
  return ['ca.crt', 'it.crt', 'it.key'].map((name) => join(directory, name))
}

export interface RedisCluster {
  /** Of each primary. */
  readonly urls: readonly string[]
  /** Sends a command to one of them. */
  send(node: number, ...command: string[]): Promise<unknown>
  close(): Promise<void>
}

const slots = 16_384

/** Three primaries, each with a third of the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'pgstash-cluster-'))
  const cluster = (port: number) => ['--cluster-enabled', 'yes', '--cluster-config-file', join(directory, `${port}`)]
  const servers = await Promise.all(
    [0, 1, 2].map(async () => Server.start((port) => ['--port', String(port), ...cluster(port)], await portWithBus())),
  )
  const urls = servers.map(({ port }) => `redis://127.0.0.1:${port}/0`)
  const clients = urls.map((url) => createClient({ url }).on('error', () => {}))
  const send = (node: number, ...command: string[]) => clients[node]?.sendCommand(command) as Promise<unknown>
  await Promise.all(clients.map((client) => client.connect()))
  await joined(send, servers)
  return {
    urls,
    send,
    async close() {
      for (const client of clients) client.destroy()
      await Promise.all(servers.map((server) => server.close()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The nodes speak to each other on the port that is 10,000 higher. */
async function portWithBus(): Promise<number> {
  const port = await freePort()
  return port + 10_000 < 65_536 ? port : portWithBus()
}

async function joined(send: RedisCluster['send'], servers: readonly Server[]): Promise<void> {
  for (const node of [0, 1, 2]) {
    const [first, last] = [Math.ceil((node * slots) / 3), Math.ceil(((node + 1) * slots) / 3) - 1]
    await send(node, 'CLUSTER', 'ADDSLOTS', ...Array.from({ length: last - first + 1 }, (_, at) => String(first + at)))
    await send(node, 'CLUSTER', 'SET-CONFIG-EPOCH', String(node + 1))
  }
  for (const { port } of servers.slice(1)) await send(0, 'CLUSTER', 'MEET', '127.0.0.1', String(port))
  const isWhole = async (node: number) =>
    /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(await send(node, 'CLUSTER', 'INFO')))
  for (const node of [0, 1, 2]) while (!(await isWhole(node))) await sleep(20)
}

/** A process of `redis-server`. */
class Server {
  readonly #process: ChildProcess
  readonly #directory: string

  private constructor(
    process: ChildProcess,
    directory: string,
    readonly port: number,
  ) {
    this.#process = process
    this.#directory = directory
  }

  static async start(settingsOf: (port: number) => readonly string[], given?: number): Promise<Server> {
    const port = given ?? (await freePort())
    const directory = await mkdtemp(join(tmpdir(), 'pgstash-redis-'))
    const settings = settingsOf(port)
    const nothingOnDisk = ['--save', '', '--appendonly', 'no', '--dir', directory]
    // A primary waits 5 s for more replicas before it sends itself to the first.
    const everywhere = ['--bind', '127.0.0.1', ...nothingOnDisk, '--repl-diskless-sync-delay', '0']
    const child = spawn('redis-server', [...everywhere, ...settings], { stdio: 'ignore' })
    while (!(await accepts(port))) {
      if (child.exitCode !== null) throw new Error(`redis-server does not start with ${settings.join(' ')}`)
      await sleep(20)
    }
    return new Server(child, directory, port)
  }

  async close(): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
    await rm(this.#directory, { recursive: true, force: true })
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
