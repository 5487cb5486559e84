import { InvalidArgumentError, TenantRequiredError } from '../../errors'

/** How long somebody is told to wait whom nothing can count, in milliseconds. */
export const uncountableForMs = 1_000

/**
 * Whether a hit was refused for what it came with. A host that lets pass whom its store did not count (`passOnStoreError`, `skipOnError`) means an outage: who
 * can choose what will not do, a tenant's name for one, must not get round the limit by it.
 */
export function isUncountable(error: unknown): boolean {
  return error instanceof InvalidArgumentError || error instanceof TenantRequiredError
}
