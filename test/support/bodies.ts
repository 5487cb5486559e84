import { randomBytes } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, describe, inject } from 'vitest'
import type { PgStashOptions } from '../../src/stash/options'
import { PgStash } from '../../src/stash/pg-stash'

/** A PostgreSQL that the contracts run on. */
export interface Body {
  readonly name: string
  /** Connection options for a stash; the schema is left to the caller. */
  connection(): PgStashOptions
  /** A stash on an empty schema, or on the one named; closed after the file. */
  open(options?: PgStashOptions): PgStash
  /** Runs SQL beside the stash. */
  sql(text: string): Promise<unknown[][]>
  close(): Promise<void>
}

/** A schema's name that no other test uses. */
export function freshSchema(): string {
  return `t_${randomBytes(6).toString('hex')}`
}

/** The suite on every body: the PostgreSQL started by the run, PGlite, and DATABASE_URL where one is given. */
export function describeBodies(title: string, suite: (body: Body) => void): void {
  for (const make of bodies()) {
    describe(title, () => {
      const body = make()
      describe(body.name, () => {
        afterAll(() => body.close())
        suite(body)
      })
    })
  }
}

/** The PostgreSQL started by the run, alone: for what PGlite, having one connection, cannot show. */
export function describePostgres(title: string, suite: (body: Body) => void): void {
  describe(title, () => {
    const body = postgresBody('postgres', inject('postgresUrl'))
    afterAll(() => body.close())
    suite(body)
  })
}

function bodies(): (() => Body)[] {
  const given = process.env.DATABASE_URL
  return [
    () => postgresBody('postgres', inject('postgresUrl')),
    pgliteBody,
    ...(given ? [() => postgresBody('DATABASE_URL', given)] : []),
  ]
}

function postgresBody(name: string, connectionString: string): Body {
  const pool = new pg.Pool({ connectionString, max: 2, allowExitOnIdle: true })
  const sql = async (text: string) => (await pool.query({ text, rowMode: 'array' })).rows
  return withStashes(
    name,
    () => ({ connectionString }),
    sql,
    () => pool.end(),
  )
}

function pgliteBody(): Body {
  const pglite = new PGlite()
  const sql = async (text: string) => (await pglite.query<unknown[]>(text, [], { rowMode: 'array' })).rows
  return withStashes(
    'PGlite',
    () => ({ pglite }),
    sql,
    () => pglite.close(),
  )
}

function withStashes(
  name: string,
  connection: () => PgStashOptions,
  sql: (text: string) => Promise<unknown[][]>,
  end: () => Promise<void>,
): Body {
  const stashes: PgStash[] = []
  return {
    name,
    connection,
    sql,
    open(options) {
      // No contract depends on how busy the machine is: the time limit has tests of its own.
      const stash = new PgStash({ ...connection(), schema: freshSchema(), timeoutMs: 60_000, ...options })
      stashes.push(stash)
      return stash
    },
    async close() {
      const schemas = new Set(stashes.map(({ schema }) => schema))
      for (const stash of stashes) await stash.close()
      for (const schema of schemas) await sql(`drop schema if exists ${schema} cascade`)
      await end()
    },
  }
}
