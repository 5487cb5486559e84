import type { Address } from './address'

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
