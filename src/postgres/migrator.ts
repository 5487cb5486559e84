import checkServer from '../../sql/statements/check-server.sql'
import createMigrationTable from '../../sql/statements/create-migration-table.sql'
import createSchema from '../../sql/statements/create-schema.sql'
import lockMigrations from '../../sql/statements/lock-migrations.sql'
import makeEntriesUnlogged from '../../sql/statements/make-entries-unlogged.sql'
import readMigration from '../../sql/statements/read-migration.sql'
import recordMigration from '../../sql/statements/record-migration.sql'
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
    const state = await this.#read(this.#driver)
    if (state.migration > latestMigration) throw new SchemaTooNewError(this.#schema, state.migration, latestMigration)
    return state
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
    return missing.map(({ name }) => name)
  }

  async #read(connection: Connection): Promise<SchemaState> {
    const [server] = await connection.query(this.#statement(checkServer), [this.#schema])
    const [version, hasSchema, hasTable] = server as [number, boolean, boolean]
    if (version < oldestServer) throw new UnsupportedServerError(version)
    if (!hasTable) return { hasSchema, migration: 0 }
    const [row] = await connection.query(this.#statement(readMigration), [])
    return { hasSchema, migration: row?.[0] as number }
  }

  #statement(file: Parameters<typeof statementOf>[0]) {
    return statementOf(file, this.#schema)
  }
}

/** The whole schema as one script, for people whose database is changed by somebody else. */
export function migrationScript({ schema, isUnlogged }: MigratorOptions): string {
  const terminated = (text: string) => `${inSchema(text, schema)};`
  const steps = migrations.flatMap(({ id, name, text }) => [
    inSchema(text, schema),
    terminated(recordMigration.text.replace('$1', String(id)).replace('$2', `'${name}'`)),
  ])
  const parts = [
    '-- pgstash: the whole schema, for an empty database',
    'begin;',
    terminated(createSchema.text),
    terminated(createMigrationTable.text),
    ...steps,
    ...(isUnlogged ? [terminated(makeEntriesUnlogged.text)] : []),
    'commit;',
  ]
  return `${parts.join('\n\n')}\n`
}
