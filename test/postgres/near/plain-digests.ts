import { createHash } from 'node:crypto'
import type { Address } from '../../../src/coalescing/address'

/** What log rows call a key, in decimals: worked out in the plainest way, for the product's and the database's to be held against. */
export function keyDigest(address: Address, key: string): string {
  return digestOf(`${address.id}\0${key}`)
}

export function namespaceDigest(address: Address): string {
  return digestOf(address.id)
}

export function tenantDigest(tenant: string): string {
  return digestOf(tenant)
}

function digestOf(names: string): string {
  return createHash('sha256').update(names).digest().readBigInt64BE().toString()
}
