import { randomBytes } from 'node:crypto'
import type { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, describe, inject } from 'vitest'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { printSchema } from '../../src/stash/schema-script'
import { oneOf } from './depth'
import { hasPgBouncer, PgBouncer } from './servers/pgbouncer'
import { openPGlite } from './servers/pglite'

/** A PostgreSQL that the contracts run on. */
export interface Body {
  readonly name: string
  /** Connection options for a stash; the schema is left to the caller. */
  connection(): PgStashOptions
  /** A stash on an empty schema, or on the one named; closed after the file. */
  open(options?: PgStashOptions): PgStash
  /** Runs SQL beside the stash. */
  sql(text: string): Promise<unknown[][]>
  /** Runs a script of several statements. */
  script(text: string): Promise<void>
  /** A stash on an empty schema under row-level security, as a role of its own that the policies hold for. */
  openIsolated(): Promise<PgStash>
  /** Before the first stash. */
  start(): Promise<void>
  close(): Promise<void>
}

/** A schema's name that no other test uses. */
export function freshSchema(): string {
  return `t_${randomBytes(6).toString('hex')}`
}

/** One that is there: for tests whose time limit is shorter than it takes to make it beside others. */
export async function madeSchema(connectionString: string): Promise<string> {
  const stash = new PgStash({ connectionString, schema: freshSchema(), sweeper: false })
  await stash.ready()
  await stash.close()
  return stash.schema
}

/** For a run that is about something else than bodies, as other versions of PostgreSQL or Node are (`test/matrix`). */
const isPostgresAlone = process.env.PGSTASH_BODIES === 'postgres'

/** The suite on every body: the PostgreSQL started by the run, PGlite, and DATABASE_URL where one is given. */
export function describeBodies(title: string, suite: (body: Body) => void): void {
  for (const make of bodies()) describeBody(title, make, suite)
}

/** {@link describeBodies}, and the PostgreSQL started by the run behind a real PgBouncer, where this machine has one. */
export function describeEveryBody(title: string, suite: (body: Body) => void): void {
  describeBodies(title, suite)
  if (hasPgBouncer && !isPostgresAlone) describeBody(title, () => pgBouncerBody(inject('postgresUrl')), suite)
}

function describeBody(title: string, make: () => Body, suite: (body: Body) => void): void {
  describe(title, () => {
    const body = make()
    describe(body.name, () => {
      beforeAll(() => body.start())
      afterAll(() => body.close())
      suite(body)
    })
  })
}

/** The PostgreSQL started by the run, alone: for what PGlite, having one connection, cannot show. */
export function describePostgres(title: string, suite: (body: Body) => void): void {
  describe(title, () => {
    const body = postgresBody('postgres', inject('postgresUrl'))
    afterAll(() => body.close())
    suite(body)
  })
}

/** Databases whose default isolation is another than ours, the strictest first: each on the PostgreSQL started by the run. */
export function describeStrictDefaults(title: string, suite: (body: Body) => void): void {
  if (isPostgresAlone) return
  for (const isolation of oneOf(['serializable', 'repeatable read']))
    describeBody(title, () => strictBody(isolation, inject('postgresUrl')), suite)
}

function bodies(): (() => Body)[] {
  const own = () => postgresBody('postgres', inject('postgresUrl'))
  if (isPostgresAlone) return [own]
  const given = process.env.DATABASE_URL
  return [own, pgliteBody, ...(given ? [() => postgresBody('DATABASE_URL', given)] : [])]
}

function postgresBody(name: string, connectionString: string): Body {
  const pool = new pg.Pool({ connectionString, max: 2, allowExitOnIdle: true })
  // A database that is dropped by force ends connections that have not hung up yet.
  pool.on('error', () => {})
  return withStashes({
    name,
    connection: () => ({ connectionString }),
    connectionAs: async (role) => ({ connectionString: urlAs(role, connectionString) }),
    sql: async (text) => (await pool.query({ text, rowMode: 'array' })).rows,
    script: async (text) => void (await pool.query(text)),
    actAs: async () => {},
    end: () => pool.end(),
  })
}

/** What runs beside the stashes has the same default. */
function strictBody(isolation: string, serverUrl: string): Body {
  const database = freshSchema()
  const admin = new pg.Pool({ connectionString: serverUrl, max: 1, allowExitOnIdle: true })
  const inside = postgresBody(`default isolation ${isolation}`, serverUrl.replace(/\/[^/]*$/, `/${database}`))
  return {
    ...inside,
    async start() {
      await admin.query(`create database ${database}`)
      await admin.query(`alter database ${database} set default_transaction_isolation = '${isolation}'`)
    },
    async close() {
      await inside.close()
      await admin.query(`drop database ${database} with (force)`)
      await admin.end()
    },
  }
}

/** The stashes go through PgBouncer, what runs beside them straight to the server. */
function pgBouncerBody(serverUrl: string): Body {
  const pool = new pg.Pool({ connectionString: serverUrl, max: 2, allowExitOnIdle: true })
  const bouncers: PgBouncer[] = []
  const bouncerFor = async (user?: string) => {
    const bouncer = await PgBouncer.before(serverUrl, user)
    bouncers.push(bouncer)
    return { connectionString: bouncer.url }
  }
  let connection: PgStashOptions = {}
  return withStashes({
    name: 'PgBouncer',
    start: async () => {
      connection = await bouncerFor()
    },
    connection: () => connection,
    // It shows every client to the server as one user.
    connectionAs: bouncerFor,
    sql: async (text) => (await pool.query({ text, rowMode: 'array' })).rows,
    script: async (text) => void (await pool.query(text)),
    actAs: async () => {},
    end: async () => {
      for (const bouncer of bouncers) await bouncer.stop()
      await pool.end()
    },
  })
}

function pgliteBody(): Body {
  let pglite: PGlite
  return withStashes({
    name: 'PGlite',
    // Not at once: it holds the process for seconds when it starts, in which the body before it would be at work.
    start: async () => {
      pglite = await openPGlite()
    },
    connection: () => ({ pglite }),
    connectionAs: async () => ({ pglite }),
    sql: async (text) => (await pglite.query<unknown[]>(text, [], { rowMode: 'array' })).rows,
    script: async (text) => void (await pglite.exec(text)),
    // It has one connection, which is a superuser's.
    actAs: async (role) => void (await pglite.exec(role === undefined ? 'reset role' : `set role ${role}`)),
    end: () => pglite.close(),
  })
}

/** What a body is made of. */
interface Access {
  readonly name: string
  /** Before anything else. */
  start?(): Promise<void>
  connection(): PgStashOptions
  connectionAs(role: string): Promise<PgStashOptions>
  sql(text: string): Promise<unknown[][]>
  script(text: string): Promise<void>
  /** Where there is but one connection: who it is from now on. */
  actAs(role: string | undefined): Promise<void>
  end(): Promise<void>
}

function withStashes({ name, start, connection, connectionAs, sql, script, actAs, end }: Access): Body {
  const stashes: PgStash[] = []
  const roles: string[] = []
  // No contract depends on how busy the machine is: the time limit has tests of its own.
  const open = (options?: PgStashOptions) => {
    const stash = new PgStash({ ...connection(), schema: freshSchema(), timeoutMs: 60_000, ...options })
    stashes.push(stash)
    return stash
  }
  return {
    name,
    connection: () => connection(),
    sql,
    script,
    open,
    start: async () => start?.(),
    async openIsolated() {
      const schema = freshSchema()
      const role = `${schema}_app`
      roles.push(role)
      await script(`create role ${role} login`)
      await script(printSchema({ schema, isolation: 'rls', appRole: role }))
      await actAs(role)
      return open({ ...(await connectionAs(role)), schema, isolation: 'rls', migrate: false })
    },
    async close() {
      const schemas = new Set(stashes.map(({ schema }) => schema))
      for (const stash of stashes) await stash.close()
      await actAs(undefined)
      for (const schema of schemas) await sql(`drop schema if exists "${schema}" cascade`)
      for (const role of roles) await sql(`drop role ${role}`)
      await end()
    },
  }
}

/** The same server as another role. */
export function urlAs(role: string, connectionString: string): string {
  const url = new URL(connectionString)
  url.username = role
  url.password = ''
  return url.href
}
