import { Health } from '../../postgres/doctor/health'
import { findPooler, findPoolerBehind } from '../../postgres/doctor/pooler'
import type { SchemaState } from '../../postgres/schema/migrator'
import type { Connection } from '../../postgres/wire/driver'
import type { ResolvedOptions } from '../options/resolved'
import { type Diagnosis, type DoctorJob, type DoctorOptions, diagnose } from './diagnosis'
import { plannedPools } from './planned-pools'

/** What doctor asks of a stash's connections. */
export interface Examined {
  /** As the stash's own role; no schema needs to be there. */
  readonly bare: Connection
  /** As the owner. undefined: there is no connection of his. */
  readonly bareOfOwner: Connection | undefined
  readonly database: { guard<T>(work: () => Promise<T>): Promise<T> }
  readSchema(): Promise<SchemaState>
}

/**
 * Looks at all that a stash works with.
 * @throws {ConnectionError} nobody answers
 */
export function diagnoseStash(options: ResolvedOptions, stash: Examined, told: DoctorOptions): Promise<Diagnosis> {
  const { schema, isolation, pglite } = options
  return diagnose({
    ...plannedPools(options, told),
    health: new Health(stash.bare, schema),
    maintenance: stash.bareOfOwner && new Health(stash.bareOfOwner, schema),
    schema,
    isolation,
    readSchema: () => stash.readSchema(),
    isEmbedded: pglite !== undefined,
    findPooler: poolerSearch(options, stash),
  })
}

/** Looks for a pooler in between. undefined: there can be none, for the database runs in this process. */
function poolerSearch({ pglite, pool, poolOptions }: ResolvedOptions, { database }: Examined): DoctorJob['findPooler'] {
  if (pglite !== undefined) return undefined
  return () => database.guard(() => (pool ? findPoolerBehind(pool) : findPooler(poolOptions)))
}
