import { CircuitOpenError, ConnectionError, StashClosedError } from '../../errors'
import type { ConnectionLimit, Health, ServerFacts } from '../../postgres/doctor/health'
import type { PoolerFacts } from '../../postgres/doctor/pooler'
import type { Isolation, SchemaState } from '../../postgres/schema/migrator'
import { type CheckStatus, type Finding, noTables, ok, refused, unknown } from './finding'
import { maintenanceRole, withoutOwner } from './maintenance'
import { nearLog } from './near-log'
import { backup, files, isHeld, isolation, role, schemaFinding, schemaStatus, sweep } from './schema'
import {
  clock,
  connections,
  embedded,
  encoding,
  type PoolPlan,
  pooler,
  replicas,
  serverVersion,
  statistics,
} from './server'
import { deadRows, hotUpdates } from './tables'

export type { CheckStatus }

/** One thing that was looked at. */
export interface Check extends Finding {
  /** Stable: `server`, `schema`, `role`, … */
  readonly name: string
}

/** What `doctor()` answers. */
export interface Diagnosis {
  /** No check failed. */
  readonly isHealthy: boolean
  /** In the order in which they were made. */
  readonly checks: readonly Check[]
}

/** What a deployment will have, where this process is not like the others. */
export interface DoctorOptions {
  /** Connections of one process at most. Default: that of this stash. */
  readonly poolSize?: number | undefined
  /** How many processes are to share the server. Default: the answer says how many may. */
  readonly processes?: number | undefined
}

export interface DoctorJob extends PoolPlan {
  readonly health: Health
  readonly schema: string
  readonly isolation: Isolation
  readonly readSchema: () => Promise<SchemaState>
  /** The database runs in this process. */
  readonly isEmbedded: boolean
  /** Answers undefined where it cannot be told. undefined: there is none to look for. */
  readonly findPooler: (() => Promise<PoolerFacts | undefined>) | undefined
  /** Of the role of `maintenance`; undefined: there is none. */
  readonly maintenance: Health | undefined
}

/**
 * Looks at everything that is known to go wrong, and changes nothing. What may not be looked at is `unknown`.
 * @throws {ConnectionError} nobody answers
 */
export async function diagnose(job: DoctorJob): Promise<Diagnosis> {
  const server = await job.health.server()
  const checks = [...(await ofServer(job, server)), ...(await ofSchema(job, server))]
  return { isHealthy: checks.every(({ status }) => status !== 'fail'), checks }
}

async function ofServer(job: DoctorJob, server: ServerFacts): Promise<Check[]> {
  const { health, findPooler } = job
  const tables = await health.tables()
  const between = await lookFor(findPooler)
  const isPooled = typeof between === 'object' && !(between instanceof Error) && between.isBetween
  return [
    { name: 'server', ...serverVersion(server) },
    { name: 'encoding', ...encoding(server) },
    { name: 'statistics', ...statistics(server, tables) },
    await check('clock', async () => clock(await health.clockOffset())),
    await check('connections', async () =>
      job.isEmbedded
        ? embedded(job)
        : connections(await limitsOf(job), { ...job, listens: job.listens && (await isHeldNear(job)) }, isPooled),
    ),
    { name: 'pooler', ...(job.isEmbedded ? ok('none: PGlite runs in this process') : pooler(between)) },
    await check('replicas', async () => replicas(await health.replicas(), tables)),
  ]
}

/** It takes connections of its own: that there are none left for it is no reason to say nothing of the rest. */
async function lookFor(findPooler: DoctorJob['findPooler']): Promise<PoolerFacts | Error | undefined> {
  return findPooler?.().catch((error: Error) => error)
}

/** Where `maintenance` has no connection, the check of its own tells. */
async function limitsOf({ health, maintenance }: DoctorJob): Promise<Record<'app' | 'maintenance', ConnectionLimit[]>> {
  const owner = await maintenance?.role().catch(() => undefined)
  const ofOwner = owner === undefined ? [] : await maintenance?.connectionLimits()
  return { app: await health.connectionLimits(owner?.role), maintenance: ofOwner ?? [] }
}

async function ofMaintenance({ maintenance, schema }: DoctorJob, hasTables: boolean): Promise<Check[]> {
  if (maintenance === undefined) return []
  const finding = async () => maintenanceRole(await maintenance.role(), schema, hasTables)
  return [{ name: 'maintenance', ...(await finding().catch(withoutOwner)) }]
}

async function ofSchema(job: DoctorJob, server: ServerFacts): Promise<Check[]> {
  const { health, schema, readSchema } = job
  const tables = await health.tables()
  const facts = await health.role()
  const now = Date.now()
  const policies = { faults: () => health.isolationFaults(), seesRows: () => health.seesRows() }
  return [
    await check('schema', async () => schemaFinding(schemaStatus(schema, await readSchema()), job.isolation, tables)),
    await check('role', async () => role(facts, schema, job.isolation, () => health.rights(facts.role))),
    await check('isolation', async () =>
      tables.length === 0 ? noTables : isolation(facts, schema, job.isolation, policies),
    ),
    ...(await ofMaintenance(job, tables.length > 0)),
    { name: 'backup', ...(tables.length === 0 ? noTables : backup(facts, schema)) },
    { name: 'files', ...files(tables, schema, server) },
    { name: 'dead-rows', ...deadRows(tables, now, server) },
    { name: 'hot-updates', ...hotUpdates(tables, server) },
    await check('near-log', async () => (tables.length === 0 ? noTables : logOf(job))),
    await check('sweep', async () =>
      sweep(await health.sweep(), tables, isHeld(facts) ? undefined : () => health.hasRemains(), server),
    ),
  ]
}

/** Whether any namespace is, as far as that can be told. */
async function isHeldNear({ health, maintenance }: DoctorJob): Promise<boolean> {
  const log = await (maintenance ?? health).nearLog().catch(() => undefined)
  return log !== undefined && log.marked > 0
}

/** Under row-level security the stash's own role sees no marks. */
async function logOf({ health, maintenance }: DoctorJob): Promise<Finding> {
  if (maintenance === undefined) return nearLog(await health.nearLog())
  // Why it cannot be asked, the check of its own tells.
  return maintenance.nearLog().then(nearLog, () => unknown('the role of maintenance was not answered'))
}

async function check(name: string, look: () => Promise<Finding>): Promise<Check> {
  try {
    return { name, ...(await look()) }
  } catch (error) {
    // Without a connection nothing can be said at all.
    if (error instanceof ConnectionError || error instanceof CircuitOpenError || error instanceof StashClosedError)
      throw error
    return { name, ...refused(error) }
  }
}
