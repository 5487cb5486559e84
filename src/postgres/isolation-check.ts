import checkIsolation from '../../sql/statements/check-isolation.sql'
import { UnsafeRoleError, type UnsafeRoleReason } from '../errors'
import type { Connection } from './driver'
import { statementOf } from './statement'

/**
 * Row-level security holds only where it is forced, and for a role it applies to.
 * @throws {UnsafeRoleError} for a superuser, a BYPASSRLS role, an owner of the tables (or a member of that role), or where it is not forced
 */
export async function requireIsolation(connection: Connection, schema: string): Promise<void> {
  const standing = await standingOf(connection, schema)
  const reason = reasonOf(standing)
  if (reason !== undefined) throw new UnsafeRoleError(reason, standing.role, schema)
}

/**
 * A role that the policies hold for sees nothing unless each statement names its tenant.
 * @throws {UnsafeRoleError} for such a role
 */
export async function requireSight(connection: Connection, schema: string): Promise<void> {
  const standing = await standingOf(connection, schema)
  if (reasonOf(standing) === undefined) throw new UnsafeRoleError('isolated', standing.role, schema)
}

interface Standing {
  readonly role: string
  readonly isSuperuser: boolean
  readonly hasBypass: boolean
  readonly isOwner: boolean
  readonly isForced: boolean
}

async function standingOf(connection: Connection, schema: string): Promise<Standing> {
  const [row] = await connection.query(statementOf(checkIsolation, schema), [schema])
  const [role, isSuperuser, hasBypass, isOwner, isForced] = row as [string, boolean, boolean, boolean, boolean]
  return { role, isSuperuser, hasBypass, isOwner, isForced }
}

function reasonOf({ isSuperuser, hasBypass, isOwner, isForced }: Standing): UnsafeRoleReason | undefined {
  if (isSuperuser) return 'superuser'
  if (hasBypass) return 'bypassrls'
  if (isOwner) return 'owner'
  return isForced ? undefined : 'not-forced'
}
