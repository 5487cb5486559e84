import { migrateStep } from '../../migrate-step'
import type { RoleFacts } from '../../postgres/doctor/health'
import { type Finding, fail, noTables, ok } from './finding'

/** The role of `maintenance` has to see the rows of all tenants: otherwise a sweep removes nothing, and the stash refuses to start. */
export function maintenanceRole({ role, seesAll }: RoleFacts, schema: string, hasTables: boolean): Finding {
  if (!hasTables) return noTables
  if (seesAll) return ok(`${role} sees the rows of all tenants`)
  return fail(
    `${role} does not see the rows of all tenants`,
    `Let maintenance be the owner of the tables; if it is, as a superuser: ${migrateStep(schema, '--isolation rls')}.`,
  )
}

/** The stash does not start without it, either. */
export function withoutOwner(error: Error): Finding {
  return fail(
    `nobody answers to maintenance: ${error.message}`,
    'Look at the option maintenance, and at what it names.',
  )
}
