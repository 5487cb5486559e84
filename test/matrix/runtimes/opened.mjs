import { PGlite } from '@electric-sql/pglite'
import { PgStash } from 'pgstash'

/** A stash on the PostgreSQL of `URL`, or on PGlite; each script ends both. */
export function opened() {
  const { URL: connectionString, SCHEMA: schema } = process.env
  if (connectionString !== undefined) return { stash: new PgStash({ connectionString, schema }), close: async () => {} }
  const pglite = new PGlite()
  return { stash: new PgStash({ pglite, schema }), close: () => pglite.close() }
}
