import type { Coalescer } from './coalescer'
import type { Database } from './database'
import { EntryTable } from './entry-table'
import type { Isolation } from './migrator'
import { TenantScope } from './tenant-scope'

/** More tenants than speak at once; beyond it, the table that was made first is forgotten, and made anew when asked for. */
const tablesKept = 1_000

/**
 * The entry table as tenants see it. Apart by a column, all share one, and travel in one statement. Apart by row-level
 * security, each has its own: a statement then is of one tenant.
 */
export class EntryTables {
  readonly #ofTenant = new Map<string, EntryTable>()
  readonly #shared: EntryTable | undefined
  readonly #make: (tenant: string) => EntryTable

  constructor(database: Database, coalescer: Coalescer, options: { schema: string; isolation: Isolation }) {
    const { schema, isolation } = options
    this.#make = (tenant) => new EntryTable(new TenantScope(database, tenant), coalescer, schema)
    if (isolation === 'column') this.#shared = new EntryTable(database, coalescer, schema)
  }

  of(tenant: string): EntryTable {
    return this.#shared ?? this.#ofTenant.get(tenant) ?? this.#add(tenant)
  }

  #add(tenant: string): EntryTable {
    for (const oldest of this.#ofTenant.keys()) {
      if (this.#ofTenant.size < tablesKept) break
      this.#ofTenant.delete(oldest)
    }
    const table = this.#make(tenant)
    this.#ofTenant.set(tenant, table)
    return table
  }
}
