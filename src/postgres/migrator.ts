import checkServer from '../../sql/statements/check-server.sql'
import createMigrationTable from '../../sql/statements/create-migration-table.sql'
import createSchema from '../../sql/statements/create-schema.sql'
import lockMigrations from '../../sql/statements/lock-migrations.sql'
import makeEntriesUnlogged from '../../sql/statements/make-entries-unlogged.sql'
import readMigration from '../../sql/statements/read-migration.sql'
import recordMigration from '../../sql/statements/record-migration.sql'
import reserveBlocks from '../../sql/statements/reserve-blocks.sql'
import { PrivilegeError, SchemaOutdatedError, SchemaTooNewError, UnsupportedServerError } from '../errors'
import type { Connection, Driver, Transaction } from './driver'
import { latestMigration, migrations } from './migrations'
import { inSchema, statementOf } from './statement'
import { sqlStateOf } from './transient-failure'

const oldestServer = 140_000
const insufficientPrivilege = '42501'

export interface MigratorOptions {
  readonly schema: string
  /** New entry tables are made unlogged. */
  readonly isUnlogged: boolean
}

/** What stands in the database. */
export interface SchemaState {
  readonly hasSchema: boolean
  /** The highest migration applied; 0 for none. */
  readonly migration: number
}

/** Brings a schema to what this version needs: numbered steps, one process at a time, all or nothing. */
export class Migrator {
  readonly #driver: Driver
  readonly #schema: string
  readonly #isUnlogged: boolean

  constructor(driver: Driver, options: MigratorOptions) {
    this.#driver = driver
    this.#schema = options.schema
    this.#isUnlogged = options.isUnlogged
  }

  /**
   * Reads only: two statements, no DDL, no lock.
   * @throws {UnsupportedServerError} before PostgreSQL 14
   * @throws {SchemaTooNewError} made by a newer version of this package
   */
  async check(): Promise<SchemaState> {
    return this.#read(this.#driver)
  }

  /** @throws {SchemaOutdatedError} when the schema is missing or behind */
  async requireCurrent(): Promise<void> {
    const { migration } = await this.check()
    if (migration < latestMigration) throw new SchemaOutdatedError(this.#schema, migration, latestMigration)
  }

  /**
   * Applies what is missing, in one transaction; answers the names applied.
   * @throws {PrivilegeError} when the role may not create the schema or its tables
   */
  async migrate(): Promise<readonly string[]> {
    const { migration } = await this.check()
    if (migration === latestMigration) return []
    try {
      return await this.#driver.transaction((transaction) => this.#apply(transaction))
    } catch (error) {
      if (sqlStateOf(error) !== insufficientPrivilege) throw error
      throw new PrivilegeError(
        `to create the schema ${JSON.stringify(this.#schema)}`,
        'Run "pgstash migrate" as a role that may, or give the output of "pgstash migrate --print" to whoever administers the database, and start with migrate: false.',
        error,
      )
    }
  }

  async #apply(transaction: Transaction): Promise<readonly string[]> {
    await transaction.query(this.#statement(lockMigrations), [this.#schema])
    // Read again under the lock: another process may have come first.
    const before = await this.#read(transaction)
    // "create schema if not exists" needs the right to create even where the schema is there.
    if (!before.hasSchema) await transaction.query(this.#statement(createSchema), [])
    await transaction.query(this.#statement(createMigrationTable), [])
    const missing = migrations.filter(({ id }) => id > before.migration)
    for (const { id, name, text } of missing) {
      await transaction.script(inSchema(text, this.#schema))
      await transaction.query(this.#statement(recordMigration), [id, name])
    }
    if (before.migration === 0 && this.#isUnlogged) await transaction.query(this.#statement(makeEntriesUnlogged), [])
    // Last: changing how a table is kept writes it anew.
    if (missing.length > 0) await transaction.query(this.#statement(reserveBlocks), [])
    return missing.map(({ name }) => name)
  }

  async #read(connection: Connection): Promise<SchemaState> {
    const [server] = await connection.query(this.#statement(checkServer), [this.#schema])
    const [version, hasSchema, hasTable] = server as [number, boolean, boolean]
    if (version < oldestServer) throw new UnsupportedServerError(version)
    if (!hasTable) return { hasSchema, migration: 0 }
    const [row] = await connection.query(this.#statement(readMigration), [])
    const migration = row?.[0] as number
    if (migration > latestMigration) throw new SchemaTooNewError(this.#schema, migration, latestMigration)
    return { hasSchema, migration }
  }

  #statement(file: Parameters<typeof statementOf>[0]) {
    return statementOf(file, this.#schema)
  }
}

/**
 * What `migrate()` would do, as one script, for people whose database is changed by somebody else.
 * @param from the migration the database is at; 0 for an empty one
 */
export function migrationScript({ schema, isUnlogged }: MigratorOptions, from: number): string {
  const terminated = (text: string) => `${inSchema(text, schema)};`
  const steps = migrations
    .filter(({ id }) => id > from)
    .flatMap(({ id, name, text }) => [
      inSchema(text, schema),
      terminated(recordMigration.text.replace('$1', String(id)).replace('$2', `'${name}'`)),
    ])
  const first = from === 0 ? [terminated(createSchema.text), terminated(createMigrationTable.text)] : []
  const unlogged = from === 0 && isUnlogged ? [terminated(makeEntriesUnlogged.text)] : []
  const last = steps.length > 0 ? [...unlogged, terminated(reserveBlocks.text)] : []
  const title = `-- pgstash: ${from === 0 ? 'the whole schema, for an empty database' : `from migration ${from} to ${latestMigration}`}`
  return `${[title, 'begin;', ...first, ...steps, ...last, 'commit;'].join('\n\n')}\n`
}
