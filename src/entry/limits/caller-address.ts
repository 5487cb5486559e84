import { isIPv4, isIPv6 } from 'node:net'
import { InvalidArgumentError } from '../../errors'

/** An address of IPv6 counts by so many of its bits; undefined: by all of them. */
export type Ipv6Subnet = number | undefined

/**
 * What many providers give a household, every address of which is its own. With 64 bits it would count as 256 callers; with 56, up to 256 customers of a provider that gives
 * out less count as one. express-rate-limit has 56 as well, @fastify/rate-limit 64.
 */
const usualSubnet = 56

/** Callers whose address nobody knows (a unix socket, a connection that is gone) count as one. Squid writes the same word. */
export const unknownAddress = 'unknown'

/** No address is longer, with its zone and its port. */
const longestAddress = 100

/** Azure's and IIS' proxies write the port of the client behind it, which is another one at each connection. */
const addressWithPort = /^(?:\[(.+)\]|([\d.]+))(?::\d{1,5})?$/

/** Of decimal numbers, as people and old logs pad them. */
const padding = /(^|[.:])0+(?=\d+(?:\.|$))/g

/** The interface of this machine that the address was seen at. */
const zone = /%.*$/

/**
 * One spelling for all that an address may be written as; of IPv6, for all that one caller may take. What is no address stays as it is.
 * @param subnet {@link resolveSubnet}
 */
export function callerAddress(text: string, subnet: Ipv6Subnet): string {
  if (text.length > longestAddress) return text
  const trimmed = text.trim()
  const [, bracketed, dotted] = addressWithPort.exec(trimmed) ?? []
  const address = (bracketed ?? dotted ?? trimmed).replace(zone, '').replace(padding, '$1')
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return trimmed === '' ? unknownAddress : text
  const groups = groupsOf(address)
  return embeddedIpv4(groups) ?? networkOf(groups, subnet)
}

/** @throws {InvalidArgumentError} no number of bits, nor false */
export function resolveSubnet(ipv6Subnet: unknown = usualSubnet): Ipv6Subnet {
  if (ipv6Subnet === false) return undefined
  if (typeof ipv6Subnet === 'number' && Number.isInteger(ipv6Subnet) && ipv6Subnet >= 1 && ipv6Subnet <= 128) {
    return ipv6Subnet
  }
  throw new InvalidArgumentError(
    'ipv6Subnet',
    'must be a whole number from 1 to 128, or false',
    'Leave it out for 56, or pass 64 where each network of a data centre counts for itself.',
  )
}

/** The eight numbers of an address. URLs write IPv6 in one way only, without dots. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const before = numbersOf(head)
  const after = numbersOf(tail ?? '')
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function numbersOf(groups: string): number[] {
  return groups === '' ? [] : groups.split(':').map((group) => Number.parseInt(group, 16))
}

/** Where an address of IPv4 stands within one of IPv6: what goes before, and how many groups that is. */
const embeddings: readonly (readonly [prefix: readonly number[], at: number])[] = [
  // Mapped, as a socket of both families has it; translated (RFC 2765).
  [[0, 0, 0, 0, 0, 0xffff], 6],
  [[0, 0, 0, 0, 0xffff, 0], 6],
  // NAT64 (RFC 6052): cut to a subnet, all of IPv4 before an IPv6-only server would be one caller.
  [[0x64, 0xff9b, 0, 0, 0, 0], 6],
  // 6to4 (RFC 3056): 256 networks of /56 for each address of IPv4.
  [[0x2002], 1],
  // Compatible (RFC 4291), which nobody routes. `::1` and its like are none, as `inet_ntop` has it.
  [[0, 0, 0, 0, 0, 0], 6],
]

function embeddedIpv4(groups: readonly number[]): string | undefined {
  const found = embeddings.find(([prefix]) => prefix.every((group, at) => groups[at] === group))
  if (found === undefined) return undefined
  const [high, low] = groups.slice(found[1], found[1] + 2) as [number, number]
  const isLowest = groups.slice(0, 7).every((group) => group === 0)
  return isLowest ? undefined : [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function networkOf(groups: readonly number[], subnet: Ipv6Subnet): string {
  const bits = subnet ?? 128
  const cut = groups.map((group, at) => group & (0xffff << Math.min(16, Math.max(0, 16 * (at + 1) - bits))))
  const network = new URL(`http://[${cut.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1)
  return subnet === undefined ? network : `${network}/${subnet}`
}
