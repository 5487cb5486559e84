import type { Address } from './address'

/** What a batch holds: one key of one namespace each. */
export interface Located {
  readonly address: Address
  readonly key: string
}

/** The address of all of them, where it is one. */
export function sharedAddress(requests: readonly Located[]): Address | undefined {
  const shared = requests[0]?.address
  for (const { address } of requests) if (address !== shared && address.id !== shared?.id) return undefined
  return shared
}
