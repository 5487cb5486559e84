import { defaultTenant, type TenantSource, tenantName } from '../entry/tenant'
import { InvalidArgumentError, MaintenanceRequiredError, StashClosedError } from '../errors'
import { Coalescer } from '../postgres/coalescer'
import { Database } from '../postgres/database'
import type { Driver } from '../postgres/driver'
import { requireIsolation, requireSight } from '../postgres/isolation-check'
import { Maintenance } from '../postgres/maintenance'
import { Migrator } from '../postgres/migrator'
import { PgDriver } from '../postgres/pg-driver'
import { PgliteDriver } from '../postgres/pglite-driver'
import type { SessionTable } from '../postgres/session-table'
import type { TableName } from '../postgres/statement'
import { Tables } from '../postgres/tables'
import type { Cache } from './cache'
import { type PgStashOptions, type ResolvedOptions, resolveOptions } from './options'
import { type StashStats, stats } from './stats'
import { type Swept, sweep } from './sweeper'
import { type NamespaceOptions, Tenant } from './tenant'

export type { TenantSource }

/** Says "this is a PgStash" also of one made by another copy of this package (import beside require). */
const brand = Symbol.for('pgstash.PgStash')

/** Two are enough to keep the server busy while Node reads the last answer; more make smaller batches (bench). */
const readsInFlight = 2

/**
 * Two of one process never wait for each other's rows: a key has one write at a time. With one, the server idles while Node
 * makes the next (bench).
 */
const writesInFlight = 2

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
  readonly #options: ResolvedOptions
  readonly #driver: Driver
  /** Of the owner where the stash has its connection; otherwise the stash's own. */
  readonly #owner: Driver
  readonly #migrator: Migrator
  readonly #database: Database
  readonly #ownerDatabase: Database
  readonly #coalescer: Coalescer
  readonly #tables: Tables
  readonly #maintenance: Maintenance
  #closing: Promise<void> | undefined

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: string | PgStashOptions = {}) {
    this.#options = resolveOptions(options)
    this.schema = this.#options.schema
    this.#driver = driverOf(this.#options)
    const { maintenance } = this.#options
    this.#owner = maintenance === undefined ? this.#driver : driverOf(maintenance)
    this.#migrator = new Migrator(this.#owner, this.#options)
    this.#database = new Database(this.#driver, () => this.#prepare(), this.#options)
    this.#ownerDatabase =
      maintenance === undefined ? this.#database : new Database(this.#owner, () => this.#prepare(), this.#options)
    this.#coalescer = new Coalescer({ ...this.#options, readsInFlight, writesInFlight })
    this.#tables = new Tables(this.#database, this.#coalescer, this.#options)
    this.#maintenance = new Maintenance(this.#ownerDatabase, this.schema)
  }

  get [brand](): true {
    return true
  }

  /** The largest value or session, in bytes as stored. */
  get maxValueBytes(): number {
    return this.#options.maxValueBytes
  }

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
    return new Tenant(tenant, this.#tables.of(tenant), { maxValueBytes, onError })
  }

  /** A namespace of the tenant `default`, for apps that have no tenants. */
  namespace(name: string, options?: NamespaceOptions): Cache {
    return this.tenant(defaultTenant).namespace(name, options)
  }

  /** A table of sessions that connect-pg-simple has made: for the session stores. The sweep looks after it from then on. */
  connectTable(name: TableName): SessionTable {
    return this.#tables.ofConnect(name)
  }

  /** Connects, and checks or makes the schema. The first call does it by itself; this is for a readiness probe. */
  async ready(): Promise<void> {
    this.#assertOpen()
    await this.#database.ready()
  }

  /** Brings the schema to this version, also where `migrate: false`; answers the migrations applied. */
  async migrate(): Promise<readonly string[]> {
    this.#assertOpen()
    this.#assertOwner('migrate')
    return this.#ownerDatabase.guard(() => this.#migrator.migrate())
  }

  /** Gives the application's role what it needs in this schema, and no more. For `isolation: 'rls'`, by the owner. */
  async grantTo(appRole: string): Promise<void> {
    this.#assertOpen()
    this.#assertOwner('grantTo')
    await this.#ownerDatabase.guard(() => this.#migrator.grantTo(appRole))
  }

  /** Removes what is expired (entries, sessions, rate limits), cleared or over quota, in small steps; answers how much. */
  async sweep(): Promise<Swept> {
    this.#assertOpen()
    this.#assertOwner('sweep')
    return sweep(this.#maintenance, this.#tables.connectTables, this.#options.quota)
  }

  /** Counts everything: reads the whole table. */
  async stats(): Promise<StashStats> {
    this.#assertOpen()
    this.#assertOwner('stats')
    return stats(this.#maintenance)
  }

  /** Answers what is under way, then ends the pool if it opened it. Calls after this reject with {@link StashClosedError}. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    await this.#coalescer.close()
    const databases = new Set([this.#database, this.#ownerDatabase])
    await Promise.all([...databases].map((database) => database.close()))
  }

  async #prepare(): Promise<void> {
    const { autoMigrate, isolation } = this.#options
    if (autoMigrate && this.#hasOwner) {
      await this.#migrator.migrate()
      await this.#migrator.reserveBlocks()
    } else await new Migrator(this.#driver, this.#options).requireCurrent()
    if (isolation === 'rls') await requireIsolation(this.#driver, this.schema)
    else await requireSight(this.#driver, this.schema)
    if (this.#owner !== this.#driver) await requireSight(this.#owner, this.schema)
  }

  /** Under row-level security the stash's own role is not the owner's. */
  get #hasOwner(): boolean {
    return this.#options.isolation === 'column' || this.#options.maintenance !== undefined
  }

  /** @throws {MaintenanceRequiredError} */
  #assertOwner(operation: string): void {
    if (!this.#hasOwner) throw new MaintenanceRequiredError(operation)
  }

  #assertOpen(): void {
    if (this.isClosed) throw new StashClosedError()
  }
}

type ConnectionOptions = NonNullable<ResolvedOptions['maintenance']>

/** A stash given by the caller, or one made of options, which its maker then closes. */
export interface StashHolding {
  readonly stash: PgStash
  readonly isOwned: boolean
}

/** What a store accepts in the place of a stash. */
export type StashSource = PgStash | string | (PgStashOptions & { readonly stash?: PgStash | undefined })

/**
 * The stash a store works on.
 * @throws {InvalidArgumentError} naming the option that will not do
 */
export function holdStash(source: StashSource | undefined): StashHolding {
  if (isStash(source)) return { stash: source, isOwned: false }
  if (typeof source === 'object' && source !== null && source.stash !== undefined) {
    if (isStash(source.stash)) return { stash: source.stash, isOwned: false }
    throw new InvalidArgumentError('stash', 'is no PgStash', 'Pass new PgStash(…), or connection options instead.')
  }
  return { stash: new PgStash(source ?? {}), isOwned: true }
}

/** Also for a stash of another copy of this package. */
export function isStash(source: unknown): source is PgStash {
  return typeof source === 'object' && source !== null && brand in source
}

function driverOf({ pool, pglite, poolOptions, timeoutMs }: ConnectionOptions): Driver {
  if (pglite !== undefined) return new PgliteDriver(pglite)
  return pool === undefined ? PgDriver.open(poolOptions, timeoutMs) : PgDriver.over(pool, timeoutMs)
}
