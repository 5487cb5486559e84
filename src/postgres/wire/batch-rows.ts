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

/** Rows begin with the position of their request, from 1; requests without a row get undefined. */
export function byPosition(rows: readonly Row[], size: number): Found<Row>[] {
  const placed = new Array<Found<Row>>(size).fill(undefined)
  for (const row of rows) placed[(row[0] as number) - 1] = row
  return placed
}
