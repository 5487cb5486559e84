import { MaintenanceRequiredError } from '../errors'
import { Health } from '../postgres/doctor/health'
import { findPooler, findPoolerBehind, type PoolerFacts } from '../postgres/doctor/pooler'
import { Database } from '../postgres/schema/database'
import { requireIsolation, requireSight } from '../postgres/schema/isolation-check'
import { Migrator, type SchemaState } from '../postgres/schema/migrator'
import type { Driver } from '../postgres/wire/driver'
import { PgDriver } from '../postgres/wire/pg/driver'
import { PgliteDriver } from '../postgres/wire/pglite-driver'
import type { ResolvedOptions } from './options/resolved'

/** Of the options, or of those of `maintenance`. */
type ConnectionOptions = NonNullable<ResolvedOptions['maintenance']>

/**
 * The connection of a stash, and that of the owner of the tables where the options name one. Nothing is opened before the first statement, which checks or makes
 * the schema; a start that failed is forgotten, and tried again by the next one.
 */
export class Connections {
  readonly driver: Driver
  /** Of the owner where the stash has its connection; otherwise the stash's own. */
  readonly #owner: Driver
  readonly database: Database
  readonly ownerDatabase: Database
  readonly #migrator: Migrator
  readonly #options: ResolvedOptions
  readonly #onReady: () => void

  /** @param onReady called after every start that went well */
  constructor(options: ResolvedOptions, onReady: () => void) {
    this.#options = options
    this.#onReady = onReady
    this.driver = driverOf(options)
    const { maintenance } = options
    this.#owner = maintenance === undefined ? this.driver : driverOf(maintenance)
    this.#migrator = new Migrator(this.#owner, options)
    this.database = this.#databaseOver(this.driver)
    this.ownerDatabase = maintenance === undefined ? this.database : this.#databaseOver(this.#owner)
  }

  /** Under row-level security the stash's own role is not the owner's. */
  get hasOwner(): boolean {
    return this.#options.isolation === 'column' || this.#options.maintenance !== undefined
  }

  /** @throws {MaintenanceRequiredError} */
  assertOwner(operation: string): void {
    if (!this.hasOwner) throw new MaintenanceRequiredError(operation)
  }

  /** The schema, changed by its owner. */
  asMigrator<T>(work: (migrator: Migrator) => Promise<T>): Promise<T> {
    return this.ownerDatabase.guard(() => work(this.#migrator))
  }

  /** The schema as the stash's own role sees it. */
  readSchema(): Promise<SchemaState> {
    return this.database.guard(() => new Migrator(this.driver, this.#options).check())
  }

  /** What doctor asks; no schema needs to be there. */
  get health(): Health {
    return this.#healthOver(this.database, this.driver)
  }

  /** As the owner sees it. undefined: there is no connection of his. */
  get healthOfOwner(): Health | undefined {
    return this.#options.maintenance && this.#healthOver(this.ownerDatabase, this.#owner)
  }

  /** Looks for a pooler in between. undefined: there can be none, for the database runs in this process. */
  get findPooler(): (() => Promise<PoolerFacts | undefined>) | undefined {
    const { pglite, pool, poolOptions } = this.#options
    if (pglite !== undefined) return undefined
    return () => this.database.guard(() => (pool ? findPoolerBehind(pool) : findPooler(poolOptions)))
  }

  async close(): Promise<void> {
    const databases = new Set([this.database, this.ownerDatabase])
    await Promise.all([...databases].map((database) => database.close()))
  }

  #databaseOver(driver: Driver): Database {
    return new Database(driver, () => this.#prepare(), this.#options)
  }

  #healthOver(database: Database, driver: Driver): Health {
    return new Health({ query: (...asked) => database.guard(() => driver.query(...asked)) }, this.#options.schema)
  }

  async #prepare(): Promise<void> {
    const { isolation, schema } = this.#options
    if (await this.#mayMigrate()) {
      await this.#migrator.migrate()
      await this.#migrator.reserveBlocks()
    } else await new Migrator(this.driver, this.#options).requireCurrent()
    if (isolation === 'rls') await requireIsolation(this.driver, schema)
    else await requireSight(this.driver, schema)
    if (this.#owner !== this.driver) await requireSight(this.#owner, schema)
    this.#onReady()
  }

  async #mayMigrate(): Promise<boolean> {
    return this.#options.autoMigrate && this.hasOwner && !(await this.#migrator.isReadOnly())
  }
}

/** Opens nothing yet. */
export function driverOf({ pool, pglite, poolOptions, timeoutMs }: ConnectionOptions): Driver {
  if (pglite !== undefined) return new PgliteDriver(pglite)
  return pool === undefined ? PgDriver.open(poolOptions, timeoutMs) : PgDriver.over(pool, timeoutMs)
}
