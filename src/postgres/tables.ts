import type { Coalescer } from '../coalescing/coalescer'
import { ownCopy } from '../entry/kept-name'
import { EntryTable } from './entries/table'
import type { Telling } from './near/telling'
import type { Database } from './schema/database'
import type { Isolation } from './schema/migrator'
import { TenantScope } from './tenant-scope'
import type { TableName } from './wire/statement'
import type { StatementRunner } from './wire/statement-runner'

/** More tenants than speak at once; beyond it, the tables that were made first are forgotten, and made anew when asked for. */
const tenantsKept = 1_000

/** The class of a table of this schema. It is handed in by who uses it: a cache loads neither sessions nor limits. */
export type TableKind<Table> = new (
  runner: StatementRunner,
  coalescer: Coalescer,
  schema: string,
  telling: Telling,
) => Table

/** The class of a table that somebody else has made. */
export type ForeignTableKind<Table> = new (runner: StatementRunner, coalescer: Coalescer, name: TableName) => Table

/** What the sweep asks of a table that somebody else has made. */
export interface ForeignTable {
  /**
   * Removes what is expired, in steps; answers how much that was.
   * @param goesOn asked before each further step
   */
  sweep(goesOn: () => Promise<boolean>): Promise<number>
}

/** The tables as one tenant sees them, or as all do; each is made when it is first asked for. */
export class TenantTables {
  readonly #runner: StatementRunner
  readonly #coalescer: Coalescer
  readonly #schema: string
  readonly #telling: Telling
  #entries: EntryTable | undefined
  readonly #ofKind = new Map<TableKind<unknown>, unknown>()

  constructor(runner: StatementRunner, coalescer: Coalescer, schema: string, telling: Telling) {
    this.#runner = runner
    this.#coalescer = coalescer
    this.#schema = schema
    this.#telling = telling
  }

  get entries(): EntryTable {
    this.#entries ??= new EntryTable(this.#runner, this.#coalescer, this.#schema, this.#telling)
    return this.#entries
  }

  of<Table>(kind: TableKind<Table>): Table {
    const known = this.#ofKind.get(kind) as Table | undefined
    if (known !== undefined) return known
    const table = new kind(this.#runner, this.#coalescer, this.#schema, this.#telling)
    this.#ofKind.set(kind, table)
    return table
  }
}

/**
 * The tables as tenants see them. Apart by a column, all share theirs, and travel in one statement. Apart by row-level
 * security, each has its own: a statement then is of one tenant.
 */
export class Tables {
  readonly #database: Database
  readonly #coalescer: Coalescer
  readonly #schema: string
  readonly #telling: Telling
  readonly #ofTenant = new Map<string, TenantTables>()
  readonly #shared: TenantTables | undefined
  readonly #foreign = new Map<string, ForeignTable>()

  constructor(
    database: Database,
    coalescer: Coalescer,
    options: { schema: string; isolation: Isolation },
    telling: Telling,
  ) {
    this.#database = database
    this.#coalescer = coalescer
    this.#schema = options.schema
    this.#telling = telling
    if (options.isolation === 'column') this.#shared = new TenantTables(database, coalescer, options.schema, telling)
  }

  of(tenant: string): TenantTables {
    return this.#shared ?? this.#ofTenant.get(tenant) ?? this.#add(tenant)
  }

  /** One for each name; always asked for with the same kind. */
  ofForeign<Table extends ForeignTable>(name: TableName, kind: ForeignTableKind<Table>): Table {
    const id = `${name.schema}\0${name.table}`
    const table = this.#foreign.get(id) ?? new kind(this.#database, this.#coalescer, name)
    this.#foreign.set(id, table)
    return table as Table
  }

  /** Those that were asked for. */
  get foreign(): readonly ForeignTable[] {
    return [...this.#foreign.values()]
  }

  #add(given: string): TenantTables {
    const tenant = ownCopy(given)
    for (const oldest of this.#ofTenant.keys()) {
      if (this.#ofTenant.size < tenantsKept) break
      this.#ofTenant.delete(oldest)
    }
    const tables = new TenantTables(
      new TenantScope(this.#database, tenant),
      this.#coalescer,
      this.#schema,
      this.#telling,
    )
    this.#ofTenant.set(tenant, tables)
    return tables
  }
}
