import type { Address } from '../../coalescing/address'
import type { Row } from './driver'

/** What was found for a key: undefined for nothing. */
export type Found<T> = T | undefined

export const isFound = (row: Found<Row>): boolean => row !== undefined

/** What a batch holds: one key of one namespace each. */
export interface Located {
  readonly address: Address
  readonly key: string
}

/** The address of all of them, where it is one. */
export function sharedAddress(requests: readonly Located[]): Address | undefined {
  const [first] = requests
  return requests.every(({ address }) => address.id === first?.address.id) ? first?.address : undefined
}

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

/** Rows begin with the position of their request, from 1; requests without a row get undefined. */
export function byPosition(rows: readonly Row[], size: number): Found<Row>[] {
  const placed = new Array<Found<Row>>(size).fill(undefined)
  for (const row of rows) placed[(row[0] as number) - 1] = row
  return placed
}
