import createMigrationTable from '../../../sql/statements/schema/bookkeeping/create-table.sql'
import findLockHolders from '../../../sql/statements/schema/bookkeeping/find-lock-holders.sql'
import limitLockWaits from '../../../sql/statements/schema/bookkeeping/limit-lock-waits.sql'
import lockMigrations from '../../../sql/statements/schema/bookkeeping/lock.sql'
import readMigration from '../../../sql/statements/schema/bookkeeping/read.sql'
import recordMigration from '../../../sql/statements/schema/bookkeeping/record.sql'
import checkReadOnly from '../../../sql/statements/schema/check-read-only.sql'
import checkServer from '../../../sql/statements/schema/check-server.sql'
import createSchema from '../../../sql/statements/schema/create.sql'
import makeCountersLogged from '../../../sql/statements/schema/make-counters-logged.sql'
import makeEntriesUnlogged from '../../../sql/statements/schema/make-entries-unlogged.sql'
import pinSearchPath from '../../../sql/statements/schema/pin-search-path.sql'
import reserveBlocks from '../../../sql/statements/schema/reserve-blocks.sql'
import enforceRowLevelSecurity from '../../../sql/statements/schema/rights/enforce-row-level-security.sql'
import grantAppRole from '../../../sql/statements/schema/rights/grant-app-role.sql'
import settleRoles from '../../../sql/statements/schema/rights/settle-roles.sql'
import {
  type LockHolder,
  PrivilegeError,
  SchemaLockedError,
  SchemaOutdatedError,
  SchemaTooNewError,
  UnsafeSearchPathError,
  UnsupportedServerError,
} from '../../errors'
import { flagsOf, migrateStep } from '../../migrate-step'
import { startTimer } from '../../own-clock'
import type { Connection, Driver, Transaction } from '../wire/driver'
import { inSchema, statementOf } from '../wire/statement'
import { insufficientPrivilege, isDefinitionCollision, sqlStateOf } from '../wire/transient-failure'
import { firstWithCounters, latestMigration } from './latest'
import { isolationFaults } from './role-rights'

/** As `server_version_num` says it: PostgreSQL 14. */
export const oldestServer = 140_000

/** Of these a transaction sees what was committed before its first statement, and fails where others have written since. */
const strictIsolations = new Set(['repeatable read', 'serializable'])

const lockNotAvailable = '55P03'

/** What collides with definitions changed outside the lock is tried again, so often and after so long at most. */
const maxAttempts = 10
const maxPauseMs = 100

export interface MigratorOptions {
  readonly schema: string
  /** New entry tables are made unlogged. */
  readonly isUnlogged: boolean
  /** New counter tables are made logged. */
  readonly hasLoggedCounters: boolean
  /** How tenants are kept apart; `rls`: row-level security is enabled and forced. */
  readonly isolation: Isolation
}

/** `column`: a condition in every statement. `rls`: the database itself, by row-level security. */
export type Isolation = 'column' | 'rls'

/** What stands in the database. */
export interface SchemaState {
  readonly hasSchema: boolean
  /** The highest migration applied; 0 for none. */
  readonly migration: number
  /** Row-level security holds for the owner too. */
  readonly isForced: boolean
  /** Where it is forced, or is to be: in what it is not as it is meant for today's owner. */
  readonly faults: readonly string[]
}

/** Brings a schema to what this version needs: numbered steps, one process at a time, all or nothing. */
export class Migrator {
  readonly #driver: Driver
  readonly #schema: string
  readonly #isUnlogged: boolean
  readonly #hasLoggedCounters: boolean
  readonly #isolation: Isolation

  constructor(driver: Driver, options: MigratorOptions) {
    this.#driver = driver
    this.#schema = options.schema
    this.#isUnlogged = options.isUnlogged
    this.#hasLoggedCounters = options.hasLoggedCounters
    this.#isolation = options.isolation
  }

  /**
   * Reads only, no DDL, no lock: two statements, and one more where row-level security is in use.
   * @throws {UnsupportedServerError} before PostgreSQL 14
   * @throws {UnsafeSearchPathError} a schema is searched before pg_catalog
   * @throws {SchemaTooNewError} made by a newer version of this package
   */
  async check(): Promise<SchemaState> {
    return this.#read(this.#driver)
  }

  /** Whether nothing can be written there, nor has to be: a standby gets its schema from its primary. */
  async isReadOnly(): Promise<boolean> {
    const [row] = await this.#driver.query(statementOf(checkReadOnly, this.#schema), [])
    return row?.[0] === true
  }

  /** @throws {SchemaOutdatedError} when the schema is missing or behind */
  async requireCurrent(): Promise<void> {
    const { migration } = await this.#readMigration(this.#driver)
    if (migration < latestMigration)
      throw new SchemaOutdatedError(this.#schema, migration, latestMigration, this.#isolation)
  }

  /**
   * Applies what is missing, in one transaction; answers the names applied.
   * @throws {PrivilegeError} when the role may not create the schema or its tables
   * @throws {SchemaLockedError} when others use the tables for too long
   */
  async migrate(): Promise<readonly string[]> {
    if (this.#isDone(await this.check())) return []
    try {
      return await this.#change((transaction) => this.#apply(transaction))
    } catch (error) {
      if (sqlStateOf(error) !== insufficientPrivilege) throw error
      const flags = flagsOf(this.#isolation)
      throw new PrivilegeError(
        `to create the schema ${JSON.stringify(this.#schema)}, or to change what is in it`,
        `Run "${migrateStep(this.#schema, flags)}" as a role that may, or give the output of "${migrateStep(this.#schema, flags === '' ? '--print' : `--print ${flags}`)}" to whoever administers the database, and start with migrate: false.`,
        error,
      )
    }
  }

  /**
   * Gives an application's role what it needs, and takes away what was granted beyond it.
   * @returns what takes away what it has beyond that from elsewhere (PUBLIC, another role, another grantor), as SQL
   * @throws {PrivilegeError} when this role may not
   */
  async grantTo(role: string): Promise<readonly string[]> {
    const rows = await this.#change((transaction) => transaction.query(this.#statement(grantAppRole), [role]))
    return rows.map(([cure]) => cure as string)
  }

  /**
   * Makes the tables' files large enough again, where a crash, `truncate` or `vacuum full` has made them small. The application's role may not delete from `namespace`,
   * which no verb needs: what it inserted there is rolled back then, and the file stays as large as that has made it.
   */
  async reserveBlocks(): Promise<void> {
    try {
      await this.#driver.query(this.#statement(reserveBlocks), [])
    } catch (error) {
      if (sqlStateOf(error) !== insufficientPrivilege) throw error
    }
  }

  #isDone({ migration, isForced, faults }: SchemaState): boolean {
    return migration === latestMigration && (!this.#wantsPolicies(isForced) || faults.length === 0)
  }

  #wantsPolicies(isForced: boolean): boolean {
    return isForced || this.#isolation === 'rls'
  }

  /** One process at a time. What is outside the lock (a grant by hand) may still collide. */
  async #change<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#driver.transaction(async (transaction) => {
          await transaction.query(this.#statement(pinSearchPath), [])
          await transaction.query(this.#statement(lockMigrations), [this.#schema])
          await transaction.query(this.#statement(limitLockWaits), [])
          return work(transaction)
        })
      } catch (error) {
        if (sqlStateOf(error) === lockNotAvailable)
          throw new SchemaLockedError(this.#schema, await this.#lockHolders(), error)
        if (attempt === maxAttempts || !isDefinitionCollision(error)) throw error
        await new Promise<void>((resolve) => void startTimer(resolve, Math.random() * maxPauseMs, true))
      }
    }
  }

  async #lockHolders(): Promise<LockHolder[]> {
    const rows = await this.#driver.query(this.#statement(findLockHolders), [this.#schema])
    return rows.map((row) => {
      const [pid, user, application, state, ageMs] = row as [number, string, string, string | null, number | null]
      return { pid, user, application, state, ageMs }
    })
  }

  async #apply(transaction: Transaction): Promise<readonly string[]> {
    // Read again under the lock: another process may have come first.
    const before = await this.#read(transaction)
    // "create schema if not exists" needs the right to create even where the schema is there.
    if (!before.hasSchema) await transaction.query(this.#statement(createSchema), [])
    await transaction.query(this.#statement(createMigrationTable), [])
    // A third of the package's bytes, which a schema that is current never needs.
    const { migrations } = await import('./migrations')
    const missing = migrations.filter(({ id }) => id > before.migration)
    for (const { id, name, text } of missing) {
      await transaction.script(inSchema(text, this.#schema))
      await transaction.query(this.#statement(recordMigration), [id, name])
    }
    if (before.migration === 0 && this.#isUnlogged) await transaction.query(this.#statement(makeEntriesUnlogged), [])
    if (before.migration < firstWithCounters && this.#hasLoggedCounters)
      await transaction.query(this.#statement(makeCountersLogged), [])
    // Last: changing how a table is kept writes it anew.
    if (missing.length > 0) await transaction.query(this.#statement(reserveBlocks), [])
    if (this.#isolation === 'rls') await transaction.query(this.#statement(enforceRowLevelSecurity), [])
    await transaction.query(this.#statement(settleRoles), [])
    return missing.map(({ name }) => name)
  }

  async #read(connection: Connection): Promise<SchemaState> {
    const state = await this.#readMigration(connection)
    const isWanted = state.migration === latestMigration && this.#wantsPolicies(state.isForced)
    return { ...state, faults: isWanted ? await isolationFaults(connection, this.#schema) : [] }
  }

  async #readMigration(connection: Connection): Promise<Omit<SchemaState, 'faults'>> {
    const [server] = await connection.query(this.#statement(checkServer), [this.#schema])
    const [version, hasSchema, hasTable, path, isolation] = server as [number, boolean, boolean, string, string]
    if (strictIsolations.has(isolation)) this.#driver.demandReadCommitted()
    if (version < oldestServer) throw new UnsupportedServerError(version)
    assertSafePath(JSON.parse(path))
    if (!hasTable) return { hasSchema, migration: 0, isForced: false }
    const [row] = await connection.query(this.#statement(readMigration), [this.#schema])
    const [migration, isForced] = row as [number, boolean]
    if (migration > latestMigration) throw new SchemaTooNewError(this.#schema, migration, latestMigration)
    return { hasSchema, migration, isForced }
  }

  #statement(file: Parameters<typeof statementOf>[0]) {
    return statementOf(file, this.#schema)
  }
}

/**
 * Our SQL leaves to the search_path what pg_catalog has with just these types, which is safe where nobody's schema comes first. The session's own temporary
 * schema is looked into for tables and types only, and is its own.
 * @throws {UnsafeSearchPathError}
 */
function assertSafePath(path: readonly string[]): void {
  const [first] = path.filter((schema) => !schema.startsWith('pg_temp_'))
  if (first !== undefined && first !== 'pg_catalog') throw new UnsafeSearchPathError(first)
}
