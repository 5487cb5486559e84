import checkIsolation from '../../../sql/statements/schema/rights/check-isolation.sql'
import { UnsafeRoleError, type UnsafeRoleReason } from '../../errors'
import type { Connection } from '../wire/driver'
import { statementOf } from '../wire/statement'
import { compareRights, isolationFaults } from './role-rights'

/**
 * Row-level security holds only where it is forced as it is meant, for a role it applies to, and stops no more than reading and writing of rows.
 * @throws {UnsafeRoleError} for a superuser, a BYPASSRLS role, an owner of the tables (or a member of that role), where it is not forced or its policies are
 * others, and for a role with rights that the policies do not stop
 */
export async function requireIsolation(connection: Connection, schema: string): Promise<void> {
  const standing = await standingOf(connection, schema)
  const { role } = standing
  const reason = reasonOf(standing)
  if (reason !== undefined) throw new UnsafeRoleError(reason, role, schema)
  const { excess } = await compareRights(connection, schema, role)
  if (excess.length > 0) throw new UnsafeRoleError('rights', role, schema, { excess })
  const faults = await isolationFaults(connection, schema)
  if (faults.length > 0) throw new UnsafeRoleError('policies', role, schema, { faults })
}

/**
 * A role that the policies hold for sees nothing unless each statement names its tenant.
 * @throws {UnsafeRoleError} for such a role; for an owner whose policy is still another's
 */
export async function requireSight(connection: Connection, schema: string): Promise<void> {
  const { role, isOwner, seesAll } = await standingOf(connection, schema)
  if (!seesAll) throw new UnsafeRoleError(isOwner ? 'policies' : 'isolated', role, schema)
}

/** What row-level security means to the role of a connection. */
export interface Standing {
  readonly role: string
  readonly isSuperuser: boolean
  readonly hasBypass: boolean
  /** Of the tables, or a member of the role that is. */
  readonly isOwner: boolean
  /** On all tables of tenants' data. */
  readonly isForced: boolean
  /** No policy hides rows of any tenant from it. */
  readonly seesAll: boolean
}

/** Reads the catalogue only, so it is answered to any role, and where there are no tables. */
export async function standingOf(connection: Connection, schema: string): Promise<Standing> {
  const [row] = await connection.query(statementOf(checkIsolation, schema), [schema])
  const [role, ...are] = row as [string, boolean, boolean, boolean, boolean, boolean]
  const [isSuperuser, hasBypass, isOwner, isForced, seesAll] = are
  return { role, isSuperuser, hasBypass, isOwner, isForced, seesAll }
}

function reasonOf({ isSuperuser, hasBypass, isOwner, isForced }: Standing): UnsafeRoleReason | undefined {
  if (isSuperuser) return 'superuser'
  if (hasBypass) return 'bypassrls'
  if (isOwner) return 'owner'
  return isForced ? undefined : 'not-forced'
}
