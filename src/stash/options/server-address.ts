import { InvalidArgumentError } from '../../errors'
import type { PgPoolOptions } from '../../postgres/wire/pg/driver'

const highestPort = 65_535

/** What `pg` puts into its first message as text. */
const texts = ['host', 'user', 'database', 'application_name'] as const

/** Numbers of `pg-pool`, which compares them as they are; `max` counts from 1, the others from 0, which is none. */
const counts = ['max', 'min', 'idleTimeoutMillis', 'connectionTimeoutMillis', 'maxUses', 'maxLifetimeSeconds'] as const

/**
 * Where the server is, and as whom. `pg` looks at these when it connects, and some of them throw out of its queue then: a stash would wait for its time limit
 * at every call.
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function assertServerAddress(options: PgPoolOptions): void {
  for (const field of texts) assertText(field, options[field])
  if (typeof options.password !== 'function') assertText('password', options.password)
  assertPort(options.port)
  for (const field of counts) assertCount(field, (options as Readonly<Record<string, unknown>>)[field])
}

/**
 * Read as `pg` reads it; socket directories too.
 * @param field what the caller called it
 * @throws {InvalidArgumentError} not an address of PostgreSQL, or one that cannot be read
 */
export function assertAddress(field: string, address: unknown): string {
  if (typeof address === 'string' && /^(postgres|postgresql|socket):/.test(address) && isReadable(address)) {
    return address
  }
  if (typeof address === 'string' && namesHighPort(address))
    throw new InvalidArgumentError(field, 'names a port that is none', `They go up to ${highestPort}.`)
  throw new InvalidArgumentError(
    field,
    'is no PostgreSQL address',
    'Write postgres://user:password@host:5432/database, with % encoding for what is no letter or digit.',
  )
}

/** What sets TLS in an address (pg-connection-string). */
const tlsOfAddress = /[?&](ssl|sslmode|sslcert|sslkey|sslrootcert|sslnegotiation)=/

/**
 * `pg` takes what the address says of TLS, and does not look at the option beside it: who asked for a certificate to be verified would get a connection in the clear.
 * @throws {InvalidArgumentError} both say something
 */
export function assertOneTls({ connectionString, ssl }: PgPoolOptions): void {
  const [, parameter] = (connectionString !== undefined && tlsOfAddress.exec(connectionString)) || []
  if (ssl === undefined || parameter === undefined || parameter === 'sslnegotiation') return
  throw new InvalidArgumentError(
    'ssl',
    `stands beside an address that says ${parameter}, which would count in its place`,
    `Take ${parameter} out of the address, or leave ssl out and say it all there: sslmode=verify-full&sslrootcert=ca.pem.`,
  )
}

/**
 * PGPORT, where nothing else names a port. `pg` takes the number that it begins with; beside an address, the option `port` counts for nothing.
 * @throws {InvalidArgumentError}
 */
export function assertEnvironment({ port, connectionString }: PgPoolOptions): void {
  const given = process.env.PGPORT
  const isNamed = connectionString === undefined ? Boolean(port) : namesPort(connectionString)
  if (!given || isNamed || isPort(Number.parseInt(given, 10))) return
  throw new InvalidArgumentError(
    'PGPORT',
    `must be a whole number from 1 to ${highestPort}`,
    'Unset it for 5432, or name the port in the address.',
  )
}

function namesPort(address: string): boolean {
  const { port, searchParams } = urlOf(encoded(address))
  return port !== '' || Boolean(searchParams.get('port'))
}

/** As in `host:70000/`, which to a URL is no address at all. Where an @ follows, the number may be of a password. */
function namesHighPort(address: string): boolean {
  const [, port] = /(?::|[?&]port=)(\d+)(?:[/?&][^@]*)?$/.exec(address) ?? []
  return Number(port) > highestPort
}

function isReadable(address: string): boolean {
  try {
    const { username, password, hostname, pathname, searchParams } = urlOf(encoded(address))
    const parts = [username, password, hostname, pathname].map(decodeURIComponent)
    const port = searchParams.get('port')
    return [...parts, ...searchParams.values()].every((part) => !part.includes('\0')) && (!port || isPort(port))
  } catch {
    return false
  }
}

/** pg-connection-string: an address with spaces or bare % signs is encoded first. */
function encoded(address: string): string {
  if (!/ |%[^a-f0-9]|%[a-f0-9][^a-f0-9]/i.test(address)) return address
  return encodeURI(address).replace(/%25(\d\d)/g, '%$1')
}

/** pg-connection-string: `postgres://user@/database`, without a host, is no URL, and is allowed. */
function urlOf(address: string): URL {
  try {
    return new URL(address)
  } catch {
    return new URL(address.replace('@/', '@nobody/'))
  }
}

/** `pg`: null and the empty text are as if left out. */
function assertText(field: string, value: unknown): void {
  if (value === undefined || value === null) return
  if (typeof value === 'string' && !value.includes('\0')) return
  throw new InvalidArgumentError(field, 'must be a string without NUL', 'Leave it out for the default.')
}

function assertCount(field: (typeof counts)[number], value: unknown): void {
  const least = field === 'max' ? 1 : 0
  if (value === undefined || value === null || value === Number.POSITIVE_INFINITY) return
  if (typeof value === 'number' && Number.isInteger(value) && value >= least) return
  throw new InvalidArgumentError(field, `must be a whole number of at least ${least}`, 'Leave it out for the default.')
}

function assertPort(port: unknown): void {
  if (port === undefined || port === null || port === '' || isPort(port)) return
  throw new InvalidArgumentError('port', `must be a whole number from 1 to ${highestPort}`, 'Leave it out for 5432.')
}

/** Also as text, as the environment has it. */
function isPort(port: unknown): boolean {
  if (typeof port === 'string') return /^\d+$/.test(port) && isPort(Number(port))
  return Number.isInteger(port) && (port as number) >= 1 && (port as number) <= highestPort
}
