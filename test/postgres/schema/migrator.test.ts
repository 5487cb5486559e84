import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { latestMigration, migrations } from '../../../src/postgres/schema/migrations'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import { PgStash } from '../../../src/stash/pg-stash'
import { printSchema } from '../../../src/stash/schema-script'
import { Sessions } from '../../../src/stash/sessions/store'
import { describeBodies, describePostgres, freshSchema, urlAs } from '../../support/bodies'
import { runNode } from '../../support/processes'

/** The schema as an earlier version left it. */
function schemaAt(migration: number, schema: string): string {
  const steps = migrations.slice(0, migration).map(({ text }) => text.replaceAll('"pgstash"', `"${schema}"`))
  const records = migrations
    .slice(0, migration)
    .map(({ id, name }) => `insert into ${schema}.migration values (${id}, '${name}')`)
  const table = `create table ${schema}.migration (id integer primary key, name text not null, applied_at timestamptz not null default now())`
  return [`create schema ${schema}`, table, ...steps, ...records].join(';\n')
}

it('the number that is known without the migrations is that of the last', () => {
  expect(migrations.map(({ id }) => id)).toEqual(Array.from({ length: latestMigration }, (_, at) => at + 1))
})

describePostgres('a schema of before sessions and counters', (body) => {
  it('gives them to the roles and policies that it has', async () => {
    const schema = freshSchema()
    const role = `${schema}_app`
    const { connectionString } = body.connection() as { connectionString: string }
    await body.script(`create role ${role} login; ${schemaAt(6, schema)}`)
    await body.script(`select ${schema}.enforce_row_level_security(); select ${schema}.grant_app_role('${role}')`)
    const app = { connectionString: urlAs(role, connectionString), schema, isolation: 'rls', migrate: false } as const
    const early = body.open(app)
    await expect(early.ready()).rejects.toMatchObject({ code: 'ERR_PGSTASH_SCHEMA_OUTDATED', found: 6 })
    await body.open({ schema, isolation: 'rls', maintenance: connectionString }).migrate()
    const stash = body.open(app)
    await stash.ready()
    const sessions = new Sessions({ stash })
    await sessions.set('s', { n: 1 })
    expect(await sessions.get('s')).toEqual({ n: 1 })
    expect((await new RateLimiter({ stash, limit: 1, windowMs: 1_000 }).consume('k')).isAllowed).toBe(true)
    await stash.close()
    await body.script(`drop schema ${schema} cascade; drop role ${role}`)
  })

  it('keeps its entries', async () => {
    const schema = freshSchema()
    await body.script(schemaAt(6, schema))
    await body.sql(
      `insert into ${schema}.entry (tenant, namespace, key, generation, version, format, written_at, value) values ('default', 'n', 'k', 0, 1, 't', 0, 'old')`,
    )
    const stash = body.open({ schema })
    expect(await stash.migrate()).toEqual(migrations.slice(6).map(({ name }) => name))
    expect(await stash.namespace('n').get('k')).toBe('old')
  })
})

describePostgres('a schema that somebody else upgrades', (body) => {
  it("stays its owner's", async () => {
    const schema = freshSchema()
    const role = `${schema}_owner`
    const { connectionString } = body.connection() as { connectionString: string }
    await body.script(`create role ${role} login; create schema ${schema} authorization ${role}`)
    await body.script(`set role ${role}; ${schemaAt(6, schema).replace(`create schema ${schema};`, '')}; reset role`)
    // As postgres, a superuser.
    await body.script(printSchema({ schema, from: 6 }))
    const stash = body.open({ connectionString: urlAs(role, connectionString), schema })
    await body.sql(`truncate ${schema}.counter`)
    await stash.ready()
    expect((await new RateLimiter({ stash, limit: 1, windowMs: 1_000 }).consume('k')).isAllowed).toBe(true)
    expect((await stash.sweep()).cleared).toBe(0)
    await stash.close()
    await body.script(`drop schema ${schema} cascade; drop role ${role}`)
  })
})

describePostgres('a schema that an owner was given', (body) => {
  it('takes the printed script from a role that may make no other', async () => {
    const schema = freshSchema()
    const role = `${schema}_owner`
    const { connectionString } = body.connection() as { connectionString: string }
    await body.script(`create role ${role} login; create schema ${schema} authorization ${role}`)
    await body.script(`set role ${role}; ${printSchema({ schema })}; reset role`)
    const stash = body.open({ connectionString: urlAs(role, connectionString), schema, migrate: false })
    await stash.namespace('a').set('k', 1)
    expect(await stash.namespace('a').get('k')).toBe(1)
    await stash.close()
    await body.script(`drop schema ${schema} cascade; drop role ${role}`)
  })
})

describeBodies('the table of counters', (body) => {
  it('is unlogged, or logged where it was told so', async () => {
    const persistence = async (schema: string) =>
      (await body.sql(`select relpersistence::text from pg_class where oid = '${schema}.counter'::regclass`))[0]?.[0]
    const [usual, logged] = [body.open(), body.open({ loggedCounters: true })]
    await usual.ready()
    await logged.ready()
    expect([await persistence(usual.schema), await persistence(logged.schema)]).toEqual(['u', 'p'])
  })
})

describeBodies('migrations', (body) => {
  it('are applied once, and do nothing when the schema is current', async () => {
    const stash = body.open()
    expect(await stash.migrate()).toEqual(migrations.map(({ name }) => name))
    expect(await stash.migrate()).toEqual([])
    expect(await body.sql(`select id, name from ${stash.schema}.migration order by id`)).toEqual(
      migrations.map(({ id, name }) => [id, name]),
    )
  })

  it('refuse a schema made by a newer version', async () => {
    const stash = body.open()
    await stash.ready()
    await body.sql(`insert into ${stash.schema}.migration (id, name) values (${latestMigration + 1}, 'future')`)
    const late = body.open({ schema: stash.schema })
    await expect(late.namespace('a').get('k')).rejects.toMatchObject({
      code: 'ERR_PGSTASH_SCHEMA_TOO_NEW',
      found: latestMigration + 1,
      known: latestMigration,
    })
  })

  it('find the files large enough again after a truncate', async () => {
    const first = body.open()
    await first.ready()
    const { schema } = first
    await body.sql(`truncate ${schema}.entry`)
    const bytes = async () => (await body.sql(`select pg_relation_size('${schema}.entry')::int`))[0]?.[0]
    expect(await bytes()).toBe(0)
    await body.open({ schema }).ready()
    expect(await bytes()).toBeGreaterThanOrEqual(128 * 8_192)
  })

  it('are not run where migrate is false', async () => {
    const schema = freshSchema()
    const stash = body.open({ schema, migrate: false })
    await expect(stash.namespace('a').get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_SCHEMA_OUTDATED', found: 0 })
    await body.open({ schema }).ready()
    // The failed start was not kept.
    expect(await stash.namespace('a').get('k')).toBeUndefined()
  })

  it('quote a schema that needs it', async () => {
    const stash = body.open({ schema: `Mixed$${freshSchema()}` })
    try {
      await stash.namespace('a').set('k', 1)
      expect(await stash.namespace('a').get('k')).toBe(1)
      expect((await stash.stats()).live).toBe(1)
    } finally {
      await body.sql(`drop schema "${stash.schema}" cascade`)
    }
  })
})

describePostgres('migrations with several processes and roles', (body) => {
  const url = inject('postgresUrl')
  const admin = new pg.Pool({ connectionString: url, max: 1 })
  const database = freshSchema()
  const inDatabase = (user = 'postgres') => url.replace(/\/\/.*@/, `//${user}@`).replace(/\/[^/]*$/, `/${database}`)

  beforeAll(() => admin.query(`create database ${database}`))
  afterAll(async () => {
    await admin.query(`drop database ${database} with (force)`)
    await admin.end()
  })

  it('are safe when ten processes start at once on an empty database', async () => {
    const script = `
      import { PgStash } from 'pgstash'
      const stash = new PgStash(process.env.URL)
      const cache = stash.namespace('start')
      await cache.increment('processes')
      await stash.close()`
    const processes = Array.from({ length: 10 }, () => runNode(script, { URL: inDatabase() }))
    expect(await Promise.all(processes)).toEqual(Array(10).fill({ code: 0, output: '' }))
    const stash = new PgStash(inDatabase())
    expect(await stash.namespace('start').get('processes')).toBe(10)
    await stash.close()
    const client = new pg.Client(inDatabase())
    await client.connect()
    expect((await client.query('select id from pgstash.migration')).rows).toHaveLength(latestMigration)
    await client.end()
  })

  it('do no DDL at boot when the schema is current', async () => {
    const schema = freshSchema()
    await body.open({ schema }).ready()
    await body.sql(`create table ${schema}.ddl (tag text)`)
    await body.sql(`create function ${schema}.note() returns event_trigger language plpgsql as
      $$ begin
        -- It is told of the whole database, where other tests are at work, as roles that may not write here.
        if exists (select from pg_event_trigger_ddl_commands() where '${schema}' in (schema_name, object_identity)) then
          insert into ${schema}.ddl values (tg_tag);
        end if;
      end $$`)
    await body.sql(`create event trigger ${schema} on ddl_command_end when tag in ('CREATE SCHEMA', 'CREATE TABLE', 'ALTER TABLE', 'CREATE FUNCTION')
      execute function ${schema}.note()`)
    try {
      const second = body.open({ schema })
      await second.namespace('a').set('k', 1)
      expect(await body.sql(`select tag from ${schema}.ddl`)).toEqual([])
      await body.sql(`create table ${schema}.planted ()`)
      expect(await body.sql(`select tag from ${schema}.ddl`)).toEqual([['CREATE TABLE']])
    } finally {
      await body.sql(`drop event trigger ${schema}`)
    }
  })

  it('tell a role without rights what to do', async () => {
    const role = freshSchema()
    await body.sql(`create role ${role} login`)
    const stash = new PgStash({ connectionString: inDatabase(role), schema: `${freshSchema()}$s` })
    await expect(stash.ready()).rejects.toMatchObject({
      code: 'ERR_PGSTASH_PRIVILEGE',
      message: expect.stringContaining(`pgstash migrate --schema '${stash.schema}' --print`),
    })
    await stash.close()
    await body.sql(`drop role ${role}`)
  })

  it('can be printed, and applied by hand', async () => {
    const schema = freshSchema()
    await body.sql(printSchema({ schema, unlogged: true }))
    const stash = body.open({ schema, migrate: false })
    await stash.namespace('a').set('k', 1)
    expect(await stash.stats()).toMatchObject({ live: 1, isUnlogged: true })
  })
})
