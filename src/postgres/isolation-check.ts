import checkIsolation from '../../sql/statements/check-isolation.sql'
import { UnsafeRoleError, type UnsafeRoleReason } from '../errors'
import type { Connection } from './driver'
import { statementOf } from './statement'

/**
 * Row-level security holds only where it is forced, and for a role it applies to.
 * @throws {UnsafeRoleError} for a superuser, a BYPASSRLS role, an owner of the tables (or a member of that role), or where it is not forced
 */
export async function requireIsolation(connection: Connection, schema: string): Promise<void> {
  const [row] = await connection.query(statementOf(checkIsolation, schema), [schema])
  const [role, isSuperuser, hasBypass, isOwner, isForced] = row as [string, boolean, boolean, boolean, boolean]
  const reason = reasonOf({ isSuperuser, hasBypass, isOwner, isForced })
  if (reason !== undefined) throw new UnsafeRoleError(reason, role, schema)
}

interface Standing {
  readonly isSuperuser: boolean
  readonly hasBypass: boolean
  readonly isOwner: boolean
  readonly isForced: boolean
}

function reasonOf({ isSuperuser, hasBypass, isOwner, isForced }: Standing): UnsafeRoleReason | undefined {
  if (isSuperuser) return 'superuser'
  if (hasBypass) return 'bypassrls'
  if (isOwner) return 'owner'
  return isForced ? undefined : 'not-forced'
}
