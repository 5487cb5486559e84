import compareRightsFile from '../../../sql/statements/schema/rights/compare.sql'
import isolationFaultsFile from '../../../sql/statements/schema/rights/isolation-faults.sql'
import type { ExcessRight } from '../../errors'
import type { Connection } from '../wire/driver'
import { statementOf } from '../wire/statement'

/** A role's rights in a schema, beside what an application needs. */
export interface RoleRights {
  /** "select on entry, update on entry"; what is had through others counts. */
  readonly missing: readonly string[]
  /** What row-level security does not stop, from wherever it comes. */
  readonly excess: readonly ExcessRight[]
}

/** Of a superuser nothing is told: it has everything. */
export async function compareRights(connection: Connection, schema: string, role: string): Promise<RoleRights> {
  const rows = (await connection.query(statementOf(compareRightsFile, schema), [role])) as [boolean, string, string][]
  return {
    missing: rows.filter(([isExcess]) => !isExcess).map(([, told]) => told),
    excess: rows.filter(([isExcess]) => isExcess).map(([, told, cure]) => ({ told, cure })),
  }
}

/** In what row-level security is not as it should be for today's owner of the tables; empty: in nothing. */
export async function isolationFaults(connection: Connection, schema: string): Promise<string[]> {
  const rows = await connection.query(statementOf(isolationFaultsFile, schema), [])
  return rows.map(([fault]) => fault as string)
}
