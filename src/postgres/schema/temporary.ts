import { randomBytes } from 'node:crypto'
import dropSchema from '../../../sql/statements/schema/drop.sql'
import type { Connection } from '../wire/driver'
import { statementOf } from '../wire/statement'

/** A name that nobody has: of a schema, or a tenant. */
export function temporaryName(purpose: string): string {
  return `pgstash_${purpose}_${randomBytes(6).toString('hex')}`
}

/** With all that is in it: for schemas that {@link temporaryName} has named. */
export async function dropTemporarySchema(connection: Connection, schema: string): Promise<void> {
  await connection.query(statementOf(dropSchema, schema), [])
}
