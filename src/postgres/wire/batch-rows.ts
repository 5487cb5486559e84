import type { Address } from '../../coalescing/address'
import type { Located } from '../../coalescing/located'
import type { Row } from './driver'

/** What was found for a key: undefined for nothing. */
export type Found<T> = T | undefined

export const isFound = (row: Found<Row>): boolean => row !== undefined

/** tenant[], namespace[], key[] */
export function addressColumns(requests: readonly Located[]): string[][] {
  const tenants: string[] = []
  const namespaces: string[] = []
  const keys: string[] = []
  for (const { address, key } of requests) {
    tenants.push(address.tenant)
    namespaces.push(address.namespace)
    keys.push(key)
  }
  return [tenants, namespaces, keys]
}

/** The addresses of a batch, each once, and for each of its rows which of them is its own, from 1. */
export function addressesOf(requests: readonly Located[]): { addresses: Address[]; places: number[] } {
  const placeOf = new Map<string, number>()
  const addresses: Address[] = []
  const places = requests.map(({ address }) => {
    const known = placeOf.get(address.id)
    if (known !== undefined) return known
    placeOf.set(address.id, addresses.push(address))
    return addresses.length
  })
  return { addresses, places }
}

/** tenant[], namespace[] */
export function tenantsAndNamespaces(addresses: readonly Address[]): string[][] {
  return [addresses.map(({ tenant }) => tenant), addresses.map(({ namespace }) => namespace)]
}

/** Rows begin with the position of their request, from 1; requests without a row get undefined. */
export function byPosition(rows: readonly Row[], size: number): Found<Row>[] {
  const placed = new Array<Found<Row>>(size).fill(undefined)
  for (const row of rows) placed[(row[0] as number) - 1] = row
  return placed
}
