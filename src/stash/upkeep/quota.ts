import { InvalidArgumentError } from '../../errors'

/** What one tenant may hold. Over it, the entries written longest ago go first, in the sweep. */
export interface Quota {
  /** Entries at most. Default: no limit. */
  readonly maxEntries?: number | undefined
  /** Bytes of values, as stored. Default: no limit. */
  readonly maxBytes?: number | undefined
}

const limits = new Set(['maxEntries', 'maxBytes'])

/** The same for every tenant, or asked for each; undefined: no limit. */
export type QuotaSource = Quota | ((tenant: string) => Quota | undefined)

export interface ResolvedQuota {
  readonly maxEntries: number | null
  readonly maxBytes: number | null
}

/**
 * Asks for a tenant's quota.
 * @throws {InvalidArgumentError} a limit that is no whole number, or what is no limit
 */
export function quotaOf(source: QuotaSource, tenant: string): ResolvedQuota {
  const quota = (typeof source === 'function' ? source(tenant) : source) ?? {}
  const isPlain = typeof quota === 'object' && !(quota instanceof Promise)
  if (!isPlain || Object.keys(quota).some((name) => !limits.has(name))) {
    throw new InvalidArgumentError(
      'quota',
      'must be { maxEntries, maxBytes } and nothing else',
      'A function answers it at once, without a promise.',
    )
  }
  const { maxEntries, maxBytes } = quota
  return { maxEntries: limit('quota.maxEntries', maxEntries), maxBytes: limit('quota.maxBytes', maxBytes) }
}

/** @throws {InvalidArgumentError} */
export function assertQuota(source: unknown): QuotaSource | undefined {
  if (source === undefined || typeof source === 'function') return source as QuotaSource | undefined
  if (typeof source !== 'object' || source === null) {
    throw new InvalidArgumentError('quota', 'must be an object or a function', 'Pass { maxEntries, maxBytes }.')
  }
  quotaOf(source, '')
  return source
}

function limit(field: string, value: unknown): number | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(field, 'must be a whole number, 0 or more', 'Leave it out for no limit.')
}
