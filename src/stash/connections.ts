import { MaintenanceRequiredError } from '../errors'
import { Database } from '../postgres/schema/database'
import { requireIsolation, requireSight } from '../postgres/schema/isolation-check'
import { Migrator, type SchemaState } from '../postgres/schema/migrator'
import type { Connection, Driver } from '../postgres/wire/driver'
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

  /** Statements of the stash's own role that need no schema: what doctor asks. */
  get bare(): Connection {
    return bareOver(this.database, this.driver)
  }

  /** As the owner. undefined: there is no connection of his. */
  get bareOfOwner(): Connection | undefined {
    return this.#options.maintenance && bareOver(this.ownerDatabase, this.#owner)
  }

  async close(): Promise<void> {
    const databases = new Set([this.database, this.ownerDatabase])
    await Promise.all([...databases].map((database) => database.close()))
  }

  #databaseOver(driver: Driver): Database {
    return new Database(driver, () => this.#prepare(), this.#options)
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

function bareOver(database: Database, driver: Driver): Connection {
  return { query: (...asked) => database.guard(() => driver.query(...asked)) }
}

/** Opens nothing yet. */
export function driverOf({ pool, pglite, poolOptions, timeoutMs }: ConnectionOptions): Driver {
  if (pglite !== undefined) return new PgliteDriver(pglite)
  return pool === undefined ? PgDriver.open(poolOptions, timeoutMs) : PgDriver.over(pool, timeoutMs)
}
