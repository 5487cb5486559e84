import { InvalidArgumentError } from '../../../errors'

/** Where a Redis is, as whom, and which of its databases. */
export interface RedisAddress {
  readonly isTls: boolean
  /** A host with its port, or the path of a socket. */
  readonly place: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** The address without its credentials. */
  readonly name: string
}

const schemes: Readonly<Record<string, 'tcp' | 'tls' | 'unix'>> = {
  'redis:': 'tcp',
  'rediss:': 'tls',
  'redis+unix:': 'unix',
  'unix:': 'unix',
}

const form = 'Write redis://user:password@host:6379/0, rediss://… for TLS, or redis+unix:///path/of/the.sock?db=0.'

export function isRedisAddress(text: string): boolean {
  return /^(rediss?|unix|valkeys?|sentinel)\b[^/]*:/i.test(text)
}

/**
 * Nothing of the address is left to a client: what one ignores, another obeys, and either way somebody else's keys are read.
 * No message repeats the address, for a password with a / or # in it may stand anywhere.
 * @throws {InvalidArgumentError} naming the part that will not do
 */
export function redisAddress(text: string): RedisAddress {
  assertScheme(text)
  const url = urlOf(text)
  const scheme = schemes[url.protocol] as 'tcp' | 'tls' | 'unix'
  const [username, password] = [decoded(url.username), decoded(url.password)].map((part) => part || undefined)
  const place = scheme === 'unix' ? { path: socketOf(url) } : serverOf(url)
  const database = databaseOf(url, scheme)
  const name = nameOf(url.protocol, place, database)
  return { isTls: scheme === 'tls', place, username, password, database, name }
}

function assertScheme(text: string): void {
  const scheme = /^[^/:]*:/.exec(text)?.[0].toLowerCase() ?? ''
  if (scheme in schemes) return
  if (scheme.includes('sentinel'))
    refuse('is the address of a Sentinel', 'Write that of the primary: SENTINEL GET-MASTER-ADDR-BY-NAME tells it.')
  if (scheme.includes('cluster'))
    refuse('has a scheme of its own', 'Write redis:// or rediss:// with any node: a cluster is noticed.')
  refuse('is no address of Redis', form)
}

function urlOf(text: string): URL {
  // A URL drops them, and a password with one would be another.
  if (/[\t\r\n]/.test(text.trim())) refuse('has a tab or a line break in it', 'Write them as %09 and %0A.')
  // `unix://user:password@/path` has no host, which only this kind may lack.
  const full = text.replace(/^([^/?#]*unix:\/\/[^/]*@)\//i, '$1localhost/')
  if (!URL.canParse(full)) refuse('is no address', `${form} Encode / ? # in a password as %2F %3F %23.`)
  const url = new URL(full)
  if (url.hash !== '') refuse('has a # in it', 'Write it as %23.')
  return url
}

function serverOf({ hostname, port }: URL): { host: string; port: number } {
  if (hostname === '') refuse('names no host', form)
  if (port === '0') refuse('names port 0', 'Leave it out for 6379.')
  return { host: decoded(hostname).replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 6379 : Number(port) }
}

function socketOf({ hostname, pathname }: URL): string {
  if (hostname !== '' && hostname !== 'localhost')
    refuse('names a host and a socket', 'Write redis+unix:///path, with three /.')
  const path = decoded(pathname)
  return path.length > 1 ? path : refuse('names no socket', 'Write redis+unix:///path/of/the.sock.')
}

/** As path, as `?db=`, or both where they agree; a socket has its path for itself. */
function databaseOf(url: URL, scheme: 'tcp' | 'tls' | 'unix'): number {
  const asked = [...url.searchParams].map(([name, value]) => (name === 'db' ? value : refuseParameter(url, name)))
  const path = scheme === 'unix' ? '' : url.pathname.slice(1)
  const named = [...(path === '' ? [] : [path]), ...asked].map(databaseNumber)
  if (named.some((number) => number !== named[0])) refuse('names two databases', 'Write /5, or ?db=5.')
  return named[0] ?? 0
}

function databaseNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  return refuse('names a database that is no number', 'End it with /0, /5 or the like, and nothing behind it.')
}

/** Behind a ? of a password would stand the host, and an @. */
function refuseParameter({ search }: URL, name: string): never {
  if (!/^\w{1,30}$/.test(name) || search.includes('@')) refuse('has a ? in it', 'In a password, write it as %3F.')
  refuse(
    `has ?${name}=, which nobody here knows`,
    'Only ?db= is read; user and password stand before the host, TLS is rediss://.',
  )
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return refuse('has a % in it that encodes nothing', 'Write % itself as %25.')
  }
}

function nameOf(protocol: string, place: RedisAddress['place'], database: number): string {
  if ('path' in place) return `redis+unix://${place.path}?db=${database}`
  return `${protocol}//${hostAndPort(place)}/${database}`
}

/** IPv6 in brackets. */
export function hostAndPort({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function refuse(problem: string, nextStep: string): never {
  throw new InvalidArgumentError('--from', problem, nextStep)
}
