import { createHash } from 'node:crypto'
import type { Address } from '../../coalescing/address'

/**
 * What log rows call a key: the first eight bytes of a SHA-256 over its names, as the decimal text of a signed number. The same as `near_digest()` in SQL.
 * @param key as the index holds it
 */
export function keyDigest(address: Address, key: string): string {
  return digestOf(`${address.id}\0${key}`)
}

/** Of a namespace, for what concerns all its keys. */
export function namespaceDigest(address: Address): string {
  return digestOf(address.id)
}

/** Of a tenant, with all its namespaces. */
export function tenantDigest(tenant: string): string {
  return digestOf(tenant)
}

/** No name holds a NUL: what is digested for a key, a namespace and a tenant is never the same text. */
function digestOf(names: string): string {
  return createHash('sha256').update(names).digest().readBigInt64BE().toString()
}
