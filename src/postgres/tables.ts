import type { Coalescer } from '../coalescing/coalescer'
import { ownCopy } from '../entry/kept-name'
import { EntryTable } from './entries/table'
import { CounterTable } from './limits/table'
import type { Database } from './schema/database'
import type { Isolation } from './schema/migrator'
import { ConnectSessionTable } from './sessions/connect-table'
import { OwnSessionTable } from './sessions/own-table'
import { TenantScope } from './tenant-scope'
import type { TableName } from './wire/statement'
import type { StatementRunner } from './wire/statement-runner'

/** More tenants than speak at once; beyond it, the tables that were made first are forgotten, and made anew when asked for. */
const tenantsKept = 1_000

/** The tables as one tenant sees them, or as all do; each is made when it is first asked for. */
export class TenantTables {
  readonly #runner: StatementRunner
  readonly #coalescer: Coalescer
  readonly #schema: string
  #entries: EntryTable | undefined
  #sessions: OwnSessionTable | undefined
  #counters: CounterTable | undefined

  constructor(runner: StatementRunner, coalescer: Coalescer, schema: string) {
    this.#runner = runner
    this.#coalescer = coalescer
    this.#schema = schema
  }

  get entries(): EntryTable {
    this.#entries ??= new EntryTable(this.#runner, this.#coalescer, this.#schema)
    return this.#entries
  }

  get sessions(): OwnSessionTable {
    this.#sessions ??= new OwnSessionTable(this.#runner, this.#coalescer, this.#schema)
    return this.#sessions
  }

  get counters(): CounterTable {
    this.#counters ??= new CounterTable(this.#runner, this.#coalescer, this.#schema)
    return this.#counters
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
  readonly #ofTenant = new Map<string, TenantTables>()
  readonly #shared: TenantTables | undefined
  readonly #ofOthers = new Map<string, ConnectSessionTable>()

  constructor(database: Database, coalescer: Coalescer, options: { schema: string; isolation: Isolation }) {
    this.#database = database
    this.#coalescer = coalescer
    this.#schema = options.schema
    if (options.isolation === 'column') this.#shared = new TenantTables(database, coalescer, options.schema)
  }

  of(tenant: string): TenantTables {
    return this.#shared ?? this.#ofTenant.get(tenant) ?? this.#add(tenant)
  }

  /** A table of sessions that connect-pg-simple has made. */
  ofConnect(name: TableName): ConnectSessionTable {
    const id = `${name.schema}\0${name.table}`
    const table = this.#ofOthers.get(id) ?? new ConnectSessionTable(this.#database, this.#coalescer, name)
    this.#ofOthers.set(id, table)
    return table
  }

  /** Those that were asked for. */
  get connectTables(): readonly ConnectSessionTable[] {
    return [...this.#ofOthers.values()]
  }

  #add(given: string): TenantTables {
    const tenant = ownCopy(given)
    for (const oldest of this.#ofTenant.keys()) {
      if (this.#ofTenant.size < tenantsKept) break
      this.#ofTenant.delete(oldest)
    }
    const tables = new TenantTables(new TenantScope(this.#database, tenant), this.#coalescer, this.#schema)
    this.#ofTenant.set(tenant, tables)
    return tables
  }
}
