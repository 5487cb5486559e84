import { assertKnown } from '../../entry/known-options'
import { callerAddress, resolveSubnet, unknownAddress } from '../../entry/limits/caller-address'
import { InvalidArgumentError } from '../../errors'

/** Of `addressKey()`. */
export interface AddressKeyOptions {
  /**
   * By how many of its first bits an address of IPv6 counts, 1 to 128: a household has a network of 56 (or 64, or 48), and as many addresses as it likes. Less
   * keeps the holder of a large network from counting many times; more tells neighbours in a data centre apart. false: by all. Default: 56.
   */
  readonly ipv6Subnet?: number | false | undefined
}

const optionNames: ReadonlySet<string> = new Set(['ipv6Subnet'])

/**
 * The key by which a limiter counts whoever has an address: one for all spellings of it, and of IPv6 one for all addresses of its network. `1.2.3.4`,
 * `::ffff:1.2.3.4`, `::ffff:102:304`, `64:ff9b::1.2.3.4` and `1.2.3.4:5678` give `1.2.3.4`; `2001:DB8::1` and `2001:db8:0:ff::2` give `2001:db8::/56`.
 *
 * What is no address is its own key; undefined, null and nothing are `unknown`, so that those without an address count together rather than not at all.
 *
 * @throws {InvalidArgumentError} an address that is no text, an option that will not do
 * @example
 * ThrottlerModule.forRoot({ throttlers, storage, getTracker: (req) => addressKey(req.ip) })
 */
export function addressKey(ip: string | null | undefined, options: AddressKeyOptions = {}): string {
  assertKnown('options', options, optionNames)
  const subnet = resolveSubnet(options.ipv6Subnet)
  if (ip === undefined || ip === null) return unknownAddress
  if (typeof ip === 'string') return callerAddress(ip, subnet)
  throw new InvalidArgumentError('ip', 'must be a string', 'Pass req.ip; of a list of addresses, the one you trust.')
}
