import type { ResolvedOptions } from '../options/resolved'
import type { DoctorOptions } from './diagnosis'
import { type PoolPlan, poolSizeOf } from './server'

/** How many connections the processes are to take, by the options of one of them. */
export function plannedPools(options: ResolvedOptions, { processes, poolSize }: DoctorOptions): PoolPlan {
  const { pool, poolOptions, maintenance, near, pglite } = options
  return {
    poolSize: poolSize ?? (pool && poolSizeOf(pool)) ?? poolOptions.max,
    maintenanceSize: maintenance
      ? ((maintenance.pool && poolSizeOf(maintenance.pool)) ?? maintenance.poolOptions.max ?? 0)
      : 0,
    listens: near.listen !== false && pglite === undefined,
    processes,
  }
}
