import { InvalidArgumentError, TenantRequiredError } from '../errors'

/** Who owns the data where nobody is named. Never NULL in the database. */
export const defaultTenant = 'default'

/** A tenant by name, or a function that is asked at every call (for example `() => als.getStore()?.tenantId`). */
export type TenantSource = string | number | (() => string | number | undefined | null)

/** With the namespace and a key of at most 1,024 bytes this stays under the 2,704 bytes of a B-tree index row. */
const maxTenantBytes = 256

/**
 * The tenant as stored: a non-empty string; numbers become strings.
 * @throws {InvalidArgumentError} empty, too long, with NUL, or neither string nor number
 */
export function tenantName(tenant: unknown): string {
  const name = typeof tenant === 'number' && Number.isFinite(tenant) ? String(tenant) : tenant
  if (typeof name !== 'string') {
    throw new InvalidArgumentError('tenant', 'must be a string or a number', 'Pass the id of the tenant.')
  }
  if (name === '') {
    throw new InvalidArgumentError(
      'tenant',
      'is empty',
      `Pass the id of the tenant, or leave it out for "${defaultTenant}".`,
    )
  }
  assertStorable('tenant', name, maxTenantBytes)
  return name
}

/**
 * Asks the source for the tenant of this call.
 * @throws {TenantRequiredError} when a function gives nothing; it never falls back to another tenant
 */
export function resolveTenant(source: TenantSource | undefined): string {
  if (source === undefined) return defaultTenant
  if (typeof source !== 'function') return tenantName(source)
  const tenant = source()
  if (tenant === undefined || tenant === null || tenant === '') throw new TenantRequiredError()
  return tenantName(tenant)
}

/** PostgreSQL stores neither NUL nor half a surrogate pair, and would store two different names as one. */
export function assertStorable(field: string, name: string, maxBytes: number): void {
  if (name.includes('\0')) {
    throw new InvalidArgumentError(field, 'contains a NUL character', 'PostgreSQL cannot store it: encode it.')
  }
  if (!isWellFormed(name)) {
    throw new InvalidArgumentError(field, 'contains half a surrogate pair', 'Encode it as UTF-8 or base64 first.')
  }
  const bytes = Buffer.byteLength(name)
  if (bytes > maxBytes) {
    throw new InvalidArgumentError(field, `takes ${bytes} bytes, the limit is ${maxBytes}`, 'Shorten or hash it.')
  }
}

/** `String.prototype.isWellFormed` of ES2024, which Node 20 has and TypeScript's ES2022 library does not know. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
