import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import type { PgPool } from '../../../src/postgres/wire/pg/driver'
import type { PgStashOptions } from '../../../src/stash/options/told'
import { openPGlite } from './pglite'
import type { TestServer } from './postgres'

/** What makes a connection impossible: options of a pool, of ours or of the caller's. */
export type Spoilt = Omit<pg.PoolConfig, 'idleTimeoutMillis'>

/** A way in which no connection is had. */
export interface Failing {
  readonly name: string
  /** A part of the next step that its error says. */
  readonly nextStep: RegExp
  readonly options: Spoilt
}

/** Ways that depend on nothing but the options and the server. */
export function failingWays(server: TestServer, silentPort: number, rudePort: number, strangePort: number): Failing[] {
  const good = server.url()
  const refusing = 'postgres://a@127.0.0.1:1/b'
  const at = (port: number) => `postgres://a@127.0.0.1:${port}/b`
  const way = (name: string, nextStep: RegExp, options: Partial<Spoilt>): Failing => ({
    name,
    nextStep,
    options: { connectionString: good, ...options },
  })
  /** An address would bring a password of its own. */
  const locked = {
    connectionString: undefined,
    host: '127.0.0.1',
    port: server.port,
    user: 'locked',
    database: 'postgres',
  }
  const thrown = (message: string) => () => {
    throw new Error(message)
  }
  const checkPassword = /Check user and password/
  return [
    way('nobody listens', /Nobody listens there/, { connectionString: refusing }),
    way('a host that does not exist', /Check the host/, { connectionString: 'postgres://a@none.invalid/b' }),
    way('a socket that does not exist', /directory of the socket/, { connectionString: 'postgres:///b?host=/nowhere' }),
    way('a server that never answers', /in time|server did not answer/, {
      connectionString: at(silentPort),
      connectionTimeoutMillis: 200,
    }),
    way('a server that hangs up', /ended the connection/, { connectionString: at(rudePort) }),
    way('something that is no PostgreSQL', /PostgreSQL's TLS/, { connectionString: at(strangePort), ssl: true }),
    way('a server without TLS', /Turn TLS on/, { ssl: true }),
    way('a server without TLS, by the address', /Turn TLS on/, { connectionString: `${good}?sslmode=require` }),
    way('a certificate file that is not there', /or the file/, {
      connectionString: `${good}?sslmode=verify-full&sslrootcert=/nowhere`,
    }),
    way('a database that does not exist', /name of the database/, { connectionString: server.url('nowhere') }),
    way('a database that takes no connections', /may connect to the database/, {
      connectionString: server.url('closed_db'),
    }),
    way('a role that does not exist', checkPassword, { connectionString: server.url('postgres', 'nobody') }),
    way('a role that may not log in', checkPassword, { connectionString: server.url('postgres', 'no_login') }),
    way('a role that may not connect', /grant connect on database/, {
      connectionString: server.url('guarded_db', 'stranger'),
    }),
    way('a role without connections left', /no connection left/, {
      connectionString: server.url('postgres', 'full_role'),
    }),
    way('a database without connections left', /no connection left/, {
      connectionString: server.url('full_db', 'stranger'),
    }),
    way('a start-up option that does not exist', /start-up options/, { options: '-c no_such_setting=1' }),
    way('a start-up option with a bad value', /start-up options/, { options: '-c work_mem=much' }),
    way('a password that is wrong', checkPassword, {
      connectionString: server.url('postgres', 'locked').replace('locked@', 'locked:wrong@'),
    }),
    way('no password where one is asked for', /Check the password/, {
      connectionString: server.url('postgres', 'locked'),
    }),
    way('a password function that throws', /error of your own code/, {
      ...locked,
      password: thrown('vault is sealed'),
    }),
    way('a password function that rejects', /error of your own code/, {
      ...locked,
      password: () => Promise.reject(new Error('vault is away')),
    }),
    way('a password function that gives no string', /has to be a string/, {
      ...locked,
      password: (() => 5) as unknown as () => string,
    }),
    way('onConnect that throws', /error of your own code/, { onConnect: thrown('not in my pool') } as Partial<Spoilt>),
    way('onConnect that rejects', /error of your own code/, {
      onConnect: () => Promise.reject(new Error('not today')),
    } as Partial<Spoilt>),
    way('onConnect whose query the server refuses', /error of your own code|start-up options/, {
      onConnect: (client: pg.Client) => client.query('set no_such_setting to 1'),
    } as unknown as Partial<Spoilt>),
    way('verify that refuses', /error of your own code/, {
      verify: (_: unknown, done: (error: Error) => void) => done(new Error('not verified')),
    } as Partial<Spoilt>),
    way('a client that cannot be made', /error of your own code/, {
      Client: class {
        constructor() {
          throw new Error('no client')
        }
      },
    } as unknown as Partial<Spoilt>),
  ]
}

/**
 * Ways that a server with TLS adds, which admits nobody without it.
 * @param name whom its certificate is made out for; it is reached by an address
 */
export function failingTlsWays(server: TestServer, ca: string, name: string): Failing[] {
  const good = server.url()
  const way = (title: string, nextStep: RegExp, options: Partial<Spoilt>): Failing => ({
    name: title,
    nextStep,
    options: { connectionString: good, ...options },
  })
  return [
    way('a certificate that nobody known has signed', /ssl: \{ ca \}/, { ssl: true }),
    way('a certificate that nobody known has signed, by the address', /ssl: \{ ca \}/, {
      connectionString: `${good}?sslmode=verify-full`,
    }),
    way('a certificate that is made out for somebody else', /servername/, { ssl: { ca } }),
    way('a certificate that does not fit the name asked for', /servername/, { ssl: { ca, servername: `not.${name}` } }),
    way('a version of TLS that the server has given up', /agree on TLS/, {
      ssl: { ca, servername: name, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
    }),
    way('no TLS where the server asks for it', /may ask for TLS/, { ssl: false }),
    way('no TLS where the server asks for it, by the address', /may ask for TLS/, {
      connectionString: `${good}?sslmode=disable`,
    }),
  ]
}

/** Roles and databases that the ways above meet. */
export const preparations = [
  'create role no_login',
  'create role stranger login',
  'create role full_role login connection limit 0',
  "create role locked login password 'right'",
  'create database closed_db allow_connections false',
  'create database guarded_db',
  'revoke connect on database guarded_db from public',
  'create database full_db connection limit 0',
]

/** Listens, and treats who comes as told; answers its port. */
export async function listening(treat: (socket: Socket) => void): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    treat(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { port: (server.address() as { port: number }).port, close }
}

/** A source of connections that gives none, and how to end it. */
export interface Source {
  readonly name: string
  readonly nextStep: RegExp
  /** Before the stash's first call; answers what makes it, and its end. */
  open(): Promise<{ options: PgStashOptions; close(): Promise<unknown> }>
}

const nothing = async () => {}

/** The same failure through a pool of ours, and of the caller's; some of them through one that takes no submittables. */
export function poolsOf({ name, nextStep, options }: Failing, at: number): Source[] {
  const pools: Source[] = [
    { name: `${name}, our pool`, nextStep, open: async () => ({ options, close: nothing }) },
    {
      name: `${name}, the caller's pool`,
      nextStep,
      open: async () => {
        const pool = new pg.Pool(options)
        pool.on('error', () => {})
        return { options: { pool: pool as PgPool }, close: () => pool.end() }
      },
    },
    {
      name: `${name}, a pool that pipelines`,
      nextStep,
      open: async () => {
        const pool = new pg.Pool({ ...options, pipeline: true } as pg.PoolConfig)
        pool.on('error', () => {})
        return { options: { pool: pool as PgPool }, close: () => pool.end() }
      },
    },
  ]
  return at % 4 === 0 ? pools : pools.slice(0, 2)
}

/** Pools and PGlites whose state is the trouble. */
export function spoiltSources(url: string): Source[] {
  const held = async (waitMs?: number) => {
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    const holder = await pool.connect()
    pool.options.connectionTimeoutMillis = waitMs
    const close = async () => {
      holder.release()
      await pool.end()
    }
    return { options: { pool: pool as PgPool }, close }
  }
  return [
    {
      name: 'a pool that was ended',
      nextStep: /close the stash first/,
      open: async () => {
        const pool = new pg.Pool({ connectionString: url })
        await pool.end()
        return { options: { pool: pool as PgPool }, close: nothing }
      },
    },
    {
      name: 'a pool that is taken, with a limit of its own',
      nextStep: /never released/,
      open: () => held(100),
    },
    { name: 'a pool that is taken', nextStep: /Check the database/, open: () => held() },
    {
      name: 'a PGlite that was closed',
      nextStep: /PGlite was closed/,
      open: async () => {
        const pglite = await openPGlite()
        await pglite.close()
        return { options: { pglite }, close: nothing }
      },
    },
    {
      name: 'a PGlite that cannot start',
      nextStep: /error of your own code|or the file/,
      open: async () => {
        const pglite = new PGlite('/dev/null/nowhere')
        await pglite.waitReady.catch(() => {})
        return { options: { pglite }, close: nothing }
      },
    },
  ]
}
