import { CircuitOpenError, ConnectionError, StashClosedError } from '../errors'
import type { Health, ServerFacts } from '../postgres/health'
import type { PoolerFacts } from '../postgres/health-pooler'
import type { Isolation, SchemaState } from '../postgres/migrator'
import { type CheckStatus, type Finding, noTables, ok, refused } from './doctor-finding'
import { files, isolation, role, schemaFinding, schemaStatus, sweep } from './doctor-schema'
import {
  clock,
  connections,
  encoding,
  type PoolPlan,
  pooler,
  replicas,
  serverVersion,
  statistics,
} from './doctor-server'
import { deadRows, hotUpdates } from './doctor-tables'

export type { CheckStatus }

/** One thing that was looked at. */
export interface Check extends Finding {
  /** Stable: `server`, `schema`, `role`, … */
  readonly name: string
}

export interface Diagnosis {
  /** No check failed. */
  readonly isHealthy: boolean
  readonly checks: readonly Check[]
}

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
  /** undefined: there is none to look for. */
  readonly findPooler: (() => Promise<PoolerFacts>) | undefined
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
  const tables = () => health.tables()
  return [
    { name: 'server', ...serverVersion(server) },
    { name: 'encoding', ...encoding(server) },
    { name: 'statistics', ...statistics(server) },
    await check('clock', async () => clock(await health.clockOffset())),
    { name: 'connections', ...connections(server, job) },
    await check('pooler', async () =>
      findPooler ? pooler(await findPooler()) : ok('none: PGlite, or a pool of yours'),
    ),
    await check('replicas', async () => replicas(await health.replicas(), await tables())),
  ]
}

async function ofSchema({ health, schema, readSchema, ...job }: DoctorJob, server: ServerFacts): Promise<Check[]> {
  const tables = await health.tables()
  const facts = () => health.role()
  const now = Date.now()
  return [
    await check('schema', async () => schemaFinding(schemaStatus(schema, await readSchema()), job.isolation)),
    await check('role', async () => role(await facts(), schema)),
    await check('isolation', async () =>
      tables.length === 0 ? noTables : isolation(await facts(), schema, job.isolation, () => health.seesRows()),
    ),
    { name: 'files', ...files(tables, schema) },
    { name: 'dead-rows', ...deadRows(tables, now, server.hasAutovacuum) },
    { name: 'hot-updates', ...hotUpdates(tables) },
    await check('sweep', async () => sweep(await health.sweep(), tables, () => health.hasRemains())),
  ]
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
