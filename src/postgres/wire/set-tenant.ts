import setTenantFile from '../../../sql/statements/wire/set-tenant.sql'
import type { Connection, Row } from './driver'
import { type Statement, statementOf } from './statement'

/** Names the tenant whose rows the policies show, until the transaction ends. It belongs to no schema. */
export const setTenant: Statement = statementOf(setTenantFile, '')

/** Runs a statement as a tenant, within a transaction that is open. */
export async function asTenant(
  transaction: Connection,
  tenant: string,
  statement: Statement,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  await transaction.query(setTenant, [tenant])
  return transaction.query(statement, values)
}
