import { randomBytes } from 'node:crypto'
import pg from 'pg'
import healthBackend from '../../../sql/statements/doctor/backend.sql'
import { connected } from '../wire/not-connected'
import type { PgPoolOptions } from '../wire/pg/driver'
import type { PgPool } from '../wire/pg/pool'

/** What stands between this process and the server. */
export interface PoolerFacts {
  readonly isBetween: boolean
  /** After what a client gives its server connection to others; undefined: could not be told. */
  readonly mode: 'statement' | 'transaction' | 'session' | undefined
  /** Whether a prepared statement is known on the next server connection too; undefined: could not be told. */
  readonly keepsStatements: boolean | undefined
}

const direct: PoolerFacts = { isBetween: false, mode: undefined, keepsStatements: undefined }

/** A pooler that has no server connection left lets a client wait for minutes. */
const patienceMs = 2_000

/** PostgreSQL: there is no such prepared statement. */
const statementUnknown = '26000'

/** `pg` keeps what the server told it at the start, for cancelling. */
type Client = pg.Client & { readonly processID: number }

/**
 * Looks for a pooler. At the start a server tells its process id, by which a query can be cancelled; a pooler tells a number of its own, for it has no
 * process for each client.
 */
export async function findPooler(options: PgPoolOptions): Promise<PoolerFacts> {
  const [mine, other] = [open(options), open(options)]
  try {
    await connected(() => mine.connect())
    const backend = await backendOf(mine)
    if (backend === mine.processID) return direct
    const hasOther = await other.connect().then(
      () => true,
      () => false,
    )
    return { isBetween: true, ...(hasOther ? await watchTurns(mine, other, backend) : untold) }
  } catch (error) {
    if (isFull(error)) return { isBetween: true, ...untold }
    throw error
  } finally {
    await Promise.all([mine, other].map((client) => client.end().catch(() => {})))
  }
}

/**
 * Of a pool of the caller's: one of its clients tells whether there is a pooler, and no more. undefined: it tells no process id.
 */
export async function findPoolerBehind(pool: PgPool): Promise<PoolerFacts | undefined> {
  const client = await connected(() => pool.connect())
  try {
    const { processID } = client as { processID?: unknown }
    const { rows } = (await client.query({ text: healthBackend.text, rowMode: 'array' })) as { rows: unknown[][] }
    if (typeof processID !== 'number') return undefined
    return Number(rows[0]?.[0]) === processID ? direct : { isBetween: true, ...untold }
  } finally {
    client.release()
  }
}

type Turns = Omit<PoolerFacts, 'isBetween'>

const untold: Turns = { mode: undefined, keepsStatements: undefined }

/** While `other` keeps in a transaction the server connection that `mine` has just had, `mine` gets another, or waits. */
async function watchTurns(mine: Client, other: Client, backend: number): Promise<Turns> {
  const name = `pgstash.probe.${randomBytes(6).toString('hex')}`
  await ask(mine, name)
  try {
    await other.query('begin')
    if ((await backendOf(other)) !== backend) return await byTurns(mine, other, backend)
    return { mode: 'transaction', keepsStatements: await isKnown(mine, name) }
  } catch (error) {
    if (refusesTransactions(error)) return { mode: 'statement', keepsStatements: undefined }
    return hasOwn(mine, backend)
  } finally {
    await other.query(`deallocate "${name}"`).catch(() => {})
    await other.query('rollback').catch(() => {})
  }
}

/**
 * Each has got one, for the pooler had another. When the two ask in turn, outside transactions, one that shares them by transaction gives what one has just given back
 * to the other (PgBouncer: the last one first), or the one after it.
 */
async function byTurns(mine: Client, other: Client, backend: number): Promise<Turns> {
  await other.query('rollback')
  for (let turn = 0; turn < 3; turn++) {
    await backendOf(other)
    if ((await backendOf(mine)) !== backend) return { mode: 'transaction', keepsStatements: undefined }
  }
  return { mode: 'session', keepsStatements: true }
}

/** There was no server connection left for the second client: the first has one of its own, or there is none for anybody. */
async function hasOwn(mine: Client, backend: number): Promise<Turns> {
  const answered = await backendOf(mine).catch(() => undefined)
  return answered === backend ? { mode: 'session', keepsStatements: true } : untold
}

/** PgBouncer, in statement mode, has no SQLSTATE of its own for it. */
function refusesTransactions(error: unknown): boolean {
  return error instanceof Error && /statement pooling/i.test(error.message)
}

/** Only a pooler has such a limit. */
function isFull(error: unknown): boolean {
  const said = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return said instanceof Error && /max_client_conn/.test(said.message)
}

async function isKnown(client: Client, name: string): Promise<boolean | undefined> {
  try {
    await ask(client, name)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code === statementUnknown ? false : undefined
  }
}

async function backendOf(client: Client): Promise<number> {
  return (await ask(client)) as number
}

async function ask(client: Client, name?: string): Promise<unknown> {
  const { rows } = await client.query<unknown[]>({ name, text: healthBackend.text, rowMode: 'array' })
  return rows[0]?.[0]
}

function open({ max: _, idleTimeoutMillis: __, ...options }: PgPoolOptions): Client {
  const limits = { connectionTimeoutMillis: patienceMs, query_timeout: patienceMs }
  const client = new pg.Client({ ...(options as pg.ClientConfig), ...limits }) as Client
  // What is lost is told by the query that waits for it.
  client.on('error', () => {})
  return client
}
