import { Coalescer } from '../coalescing/coalescer'
import { defaultTenant, type TenantSource, tenantName } from '../entry/tenant'
import { StashClosedError } from '../errors'
import { OwnWrites } from '../postgres/near/own-writes'
import { Telling } from '../postgres/near/telling'
import { type ForeignTable, type ForeignTableKind, Tables } from '../postgres/tables'
import { TenantScope } from '../postgres/tenant-scope'
import { Maintenance } from '../postgres/upkeep/maintenance'
import { TenantRows } from '../postgres/upkeep/tenant-rows'
import { rowFailures } from '../postgres/wire/row-failures'
import { assertName, assertTableName, type TableName } from '../postgres/wire/statement'
import { Connections } from './connections'
import type { Diagnosis, DoctorOptions } from './doctor/diagnosis'
import type { SchemaStatus } from './doctor/schema'
import type { Cache } from './entries/cache'
import { LoadingDoor } from './loading-door'
import type { LockKeeper } from './locks/keeper'
import type { Lock } from './locks/lock'
import type { LockOptions, TryLockOptions } from './locks/options'
import { type HeldNear, NearDoor } from './near-door'
import { stashBrand } from './options/mistaken'
import { type ResolvedOptions, resolveOptions } from './options/resolved'
import type { PgStashOptions } from './options/told'
import { type NamespaceOptions, Tenant } from './tenant'
import { metricsOf, type StashMetrics } from './upkeep/metrics'
import { type StashStats, type StatsOptions, stats } from './upkeep/stats'
import { SweepClock } from './upkeep/sweep-clock'
import {
  assertSweepOptions,
  removedBy,
  type SweepJob,
  type SweepOptions,
  type Swept,
  sweep,
  type Turned,
} from './upkeep/sweeper'

export type { TenantSource }

/** Two are enough to keep the server busy while Node reads the last answer; more make smaller batches (bench). */
const readsInFlight = 2

/**
 * Two of one process never wait for each other's rows: a key has one write at a time. With one, the server idles while Node
 * makes the next (bench).
 */
const writesInFlight = 2

/** So many calls under way are a crowd: the sweep by the clock lets them pass. */
const busyFrom = 64

/**
 * One pool, one schema, and what stores share. Nothing is opened before the first call; a failed first connection is tried
 * again by the next one.
 *
 * @example
 * const stash = new PgStash(process.env.DATABASE_URL)
 * const views = stash.tenant('acme').namespace('views', { ttl: 60_000 })
 * await views.set('home', { count: 1 })
 * await stash.close()
 */
export class PgStash {
  /** The schema of its tables. */
  readonly schema: string
  /** What this process holds near: figures, a look at the log right now, and forgetting. */
  readonly near: HeldNear
  readonly #near: NearDoor
  readonly #loads: LoadingDoor
  readonly #options: ResolvedOptions
  readonly #connections: Connections
  readonly #coalescer: Coalescer
  readonly #tables: Tables
  readonly #maintenance: Maintenance
  readonly #clock: SweepClock | undefined
  #closing: Promise<void> | undefined
  #keeper: Promise<LockKeeper> | undefined

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: string | PgStashOptions = {}) {
    this.#options = resolveOptions(options)
    this.schema = this.#options.schema
    this.#connections = new Connections(this.#options, () => this.#clock?.start())
    const { database, ownerDatabase } = this.#connections
    const onLook = () => this.#clock?.look()
    this.#coalescer = new Coalescer({
      ...this.#options,
      readsInFlight,
      writesInFlight,
      failures: rowFailures,
      together: (work) => this.#connections.driver.together(work),
      onLook,
    })
    const own = new OwnWrites()
    const telling = new Telling(own)
    this.#tables = new Tables(database, this.#coalescer, this.#options, telling)
    this.#near = new NearDoor({ database, own, telling, options: this.#options })
    this.near = this.#near
    this.#loads = new LoadingDoor(this.#options.timeoutMs)
    this.#maintenance = new Maintenance(ownerDatabase, this.schema)
    this.#clock = this.#makeClock()
  }

  /** @hidden */
  get [stashBrand](): true {
    return true
  }

  /** The largest value or session, in bytes as stored. */
  get maxValueBytes(): number {
    return this.#options.maxValueBytes
  }

  /** Whether `close()` was called. */
  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Everything of one tenant; cheap to ask for at every call.
   * @throws {InvalidArgumentError} empty, too long, with NUL, or neither string nor number
   */
  tenant(name: string | number): Tenant {
    const { maxValueBytes, onError } = this.#options
    const tenant = tenantName(name)
    const tables = this.#tables.of(tenant)
    return new Tenant(
      tenant,
      tables,
      { maxValueBytes, onError },
      { keeper: () => this.#lockKeeper(), near: this.#near, loads: this.#loads },
    )
  }

  /** A namespace of the tenant `default`, for apps that have no tenants. */
  namespace(name: string, options?: NamespaceOptions): Cache {
    return this.tenant(defaultTenant).namespace(name, options)
  }

  /**
   * Takes a lock of the tenant `default`: `stash.tenant(name).lock()` has one for each tenant. Nobody else, in whatever process, gets it until it is released, or lost.
   *
   * @example
   * const lock = await stash.lock('invoices', { leaseMs: 10_000 })
   * try {
   *   await makeInvoices({ token: lock.token, signal: lock.signal })
   * } finally {
   *   await lock.release()
   * }
   * @throws {InvalidArgumentError} a name or an option that will not do
   * @throws {LockTimeoutError} somebody else held it for `waitMs`
   * @throws {CallAbortedError} by the signal, before it was got
   */
  lock(name: string, options?: LockOptions): Promise<Lock> {
    return this.tenant(defaultTenant).lock(name, options)
  }

  /**
   * As {@link lock}, without waiting: undefined where somebody else holds it.
   * @throws {InvalidArgumentError} a name or an option that will not do
   */
  tryLock(name: string, options?: TryLockOptions): Promise<Lock | undefined> {
    return this.tenant(defaultTenant).tryLock(name, options)
  }

  /**
   * Runs `work` under a lock of the tenant `default`, and releases it whatever becomes of it; answers, or throws, what `work` does.
   *
   * @example
   * await stash.withLock('nightly report', async ({ token, signal }) => {
   *   await writeReport({ token, signal })
   * })
   * @throws {InvalidArgumentError} a name or an option that will not do
   * @throws {LockTimeoutError} somebody else held it for `waitMs`; `work` was not run
   * @throws {CallAbortedError} by the signal, before it was got; `work` was not run
   * @throws {LockLostError} it was lost while `work`, which ended without an error, was at it
   */
  withLock<T>(name: string, work: (lock: Lock) => T | Promise<T>, options?: LockOptions): Promise<T> {
    return this.tenant(defaultTenant).withLock(name, work, options)
  }

  /**
   * A table that somebody else has made, of connect-pg-simple say: for the stores of this package. The sweep looks after it from then on.
   * @throws {InvalidArgumentError} no names of a schema and a table
   */
  connectTable<Table extends ForeignTable>(name: TableName, kind: ForeignTableKind<Table>): Table {
    return this.#tables.ofForeign(assertTableName(name), kind)
  }

  /** Connects, and checks or makes the schema. The first call does it by itself; this is for a readiness probe. */
  async ready(): Promise<void> {
    this.#assertOpen()
    await this.#connections.database.ready()
  }

  /** Brings the schema to this version, also where `migrate: false`; answers the migrations applied. */
  async migrate(): Promise<readonly string[]> {
    this.#assertOpen()
    this.#connections.assertOwner('migrate')
    return this.#connections.asMigrator((migrator) => migrator.migrate())
  }

  /**
   * Gives the application's role what it needs in this schema, and no more: what the owner granted it beyond that is taken away. For `isolation: 'rls'`, by the owner.
   * Answers the SQL that takes away what it still has from elsewhere: from PUBLIC, from a role that it is a member of; usually none.
   */
  async grantTo(appRole: string): Promise<readonly string[]> {
    this.#assertOpen()
    const role = assertName('appRole', appRole)
    this.#connections.assertOwner('grantTo')
    return this.#connections.asMigrator((migrator) => migrator.grantTo(role))
  }

  /**
   * Removes what is expired (entries, sessions, rate limits), cleared or over quota, in small steps; answers how much this process removed. A stash does it by
   * itself from time to time (option `sweeper`); this is for a job. Several at once share the work.
   */
  async sweep(options: SweepOptions = {}): Promise<Swept> {
    this.#assertOpen()
    this.#connections.assertOwner('sweep')
    assertSweepOptions(options)
    const { swept, failure } = await this.#sweepOnce(options)
    if (!options.signal?.aborted) await this.#maintenance.finish(removedBy(swept), null)
    if (failure !== undefined) throw failure
    return swept
  }

  /** Counts what is held, for people and dashboards: of tables over 32 MiB a sample, unless `exact` is asked for. */
  async stats(options?: StatsOptions): Promise<StashStats> {
    this.#assertOpen()
    this.#connections.assertOwner('stats')
    return stats(this.#maintenance, options)
  }

  /**
   * Where the schema stands. Reads only.
   * @throws {SchemaTooNewError} made by a newer version of this package
   */
  async checkSchema(): Promise<SchemaStatus> {
    this.#assertOpen()
    const { schemaStatus } = await import('./doctor/schema')
    return schemaStatus(this.schema, await this.#connections.asMigrator((migrator) => migrator.check()))
  }

  /**
   * Looks at what is known to go wrong: server, schema, role, connections, dead rows, the sweep. Changes nothing, and needs no schema.
   * @throws {ConnectionError} nobody answers
   */
  async doctor(options: DoctorOptions = {}): Promise<Diagnosis> {
    this.#assertOpen()
    // Loaded when it is asked for: most processes never do.
    const { diagnoseStash } = await import('./doctor/of-stash')
    return diagnoseStash(this.#options, this.#connections, options)
  }

  /** The rows of a tenant as a whole, for the command line. */
  tenantRows(tenant: string): TenantRows {
    const { hasOwner, database, ownerDatabase } = this.#connections
    const runner = hasOwner ? ownerDatabase : new TenantScope(database, tenantName(tenant))
    return new TenantRows(runner, this.schema, tenantName(tenant))
  }

  /** How this process does: calls, hits, statements, latencies, connections. Asks nobody, and costs nothing. */
  metrics(): StashMetrics {
    const { meters, callsUnderWay } = this.#coalescer
    const near = this.#near.isUsed ? this.#near.stats() : undefined
    return metricsOf(meters.all(), { callsUnderWay, pool: this.#connections.driver.poolUse(), near })
  }

  /** Answers what is under way, then ends the pool if it opened it. Calls after this reject with {@link StashClosedError}. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  /** Loaded when it is asked for: most processes never do. */
  async #lockKeeper(): Promise<LockKeeper> {
    this.#assertOpen()
    this.#keeper ??= import('./locks/keeper').then(({ LockKeeper }) => new LockKeeper())
    return this.#keeper
  }

  async #end(): Promise<void> {
    // First: from this moment on calls are refused.
    const calls = this.#coalescer.close()
    const keeper = await this.#keeper
    keeper?.close()
    await Promise.all([calls, this.#clock?.stop(), this.#loads.end()])
    await this.#near.end()
    await this.#connections.close()
  }

  /** undefined: nobody wants it, or this process may not look at all tenants. */
  #makeClock(): SweepClock | undefined {
    const { sweepIntervalMs } = this.#options
    if (sweepIntervalMs === null || !this.#connections.hasOwner) return undefined
    return new SweepClock({
      maintenance: this.#maintenance,
      intervalMs: sweepIntervalMs,
      isBusy: () => this.#coalescer.callsUnderWay > busyFrom,
      sweep: (background) => this.#sweepOnce(background),
    })
  }

  #sweepOnce(options: Pick<SweepJob, 'signal' | 'onProgress' | 'pause'>): Promise<Turned> {
    const { quota } = this.#options
    return sweep({ ...options, maintenance: this.#maintenance, foreign: this.#tables.foreign, quota })
  }

  #assertOpen(): void {
    if (this.isClosed) throw new StashClosedError()
  }
}
