import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { Import } from '../../src/stash/import/job'
import { KeyvTableSource } from '../../src/stash/import/keyv-table'
import type { PgStashOptions } from '../../src/stash/options/told'
import { PgStash } from '../../src/stash/pg-stash'
import { printSchema } from '../../src/stash/schema-script'
import { Sessions } from '../../src/stash/sessions/store'
import { freshSchema, urlAs } from '../support/bodies'
import { everyVerb } from '../support/every-verb'
import { plantOverloads, witness } from '../support/schemas/hostile'

const directory = join(import.meta.dirname, '../../sql')
const filesIn = (kind: string) =>
  readdirSync(join(directory, kind), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sql'))
    .map((name) => ({ name, text: readFileSync(join(directory, kind, name), 'utf8') }))
const statements = filesIn('statements')
/** Whatever looks like a call; of these, pg_catalog's are overloaded. */
const called = [...statements, ...filesIn('migrations')].flatMap(({ text }) => text.match(/[a-z_]+(?= ?\()/g) ?? [])

const [database, mallory, owner, app] = ['db', 'mallory', 'owner', 'app'].map((name) => `${freshSchema()}_${name}`) as [
  ...[string, string, string, string],
]
const server = inject('postgresUrl')
const urlOf = (role: string) => urlAs(role, server).replace(/\/[^/]*$/, `/${database}`)

/** What connect-pg-simple and @keyv/postgres make. */
const tablesOfOthers = `
  create schema web authorization ${owner};
  create table web.session (sid varchar not null collate "default" primary key, sess json not null, expire timestamp(6) not null);
  create table web.keyv (key varchar(255) not null, value text, namespace varchar(255), expires bigint);
  insert into web.keyv values ('k', '{"value":1}', 'n', null), ('l', '{"value":2}', null, null);
  grant usage on schema web to ${app}, ${owner};
  grant all on all tables in schema web to ${app}, ${owner};`

describe('a schema of the search_path in which somebody else may create', () => {
  const postgres = new pg.Pool({ connectionString: server, max: 1 })
  let admin: pg.Client

  beforeAll(async () => {
    await postgres.query(`create role ${mallory} login; create role ${owner} login; create role ${app} login`)
    await postgres.query(`create database ${database}`)
    admin = new pg.Client(urlOf('postgres'))
    await admin.connect()
    await admin.query(`create schema appdata authorization ${mallory}; grant usage on schema appdata to public;
      create schema witness; create sequence ${witness}; grant usage on schema witness to public; grant usage on ${witness} to public;
      grant create on database ${database} to ${owner}; alter database ${database} set search_path = "$user", appdata, public; ${tablesOfOthers}`)
    const client = new pg.Client(urlOf(mallory))
    await client.connect()
    await plantOverloads(client, 'appdata', [...new Set(called)])
    await client.end()
  })

  afterAll(async () => {
    await admin.end()
    await postgres.query(`drop database ${database} with (force)`)
    await postgres.query(`drop role ${mallory}; drop role ${owner}; drop role ${app}`)
    await postgres.end()
  })

  const isCalled = async () => (await admin.query(`select is_called from ${witness}`)).rows[0].is_called

  it('is called where a name has no schema: the trap works', async () => {
    const client = new pg.Client(urlOf(app))
    await client.connect()
    await expect(client.query('select length(1)')).rejects.toThrow('hostile')
    await expect(client.query('select 2::bigint % 1')).rejects.toThrow('hostile')
    await expect(client.query(`select nextval('none')`)).rejects.toThrow('hostile')
    await client.end()
    expect(await isCalled()).toBe(true)
    await admin.query(`alter sequence ${witness} restart`)
  })

  it('lends no function and no operator to any statement', async () => {
    const stash = new PgStash({ connectionString: urlOf(owner), schema: 'pgstash' })
    await stash.ready()
    await stash.close()
    const planted = await plantedIn(admin)
    const client = new pg.Client(urlOf('postgres'))
    await client.connect()
    const trees: string[] = []
    client.on('notice', ({ message, detail }) => message?.startsWith('parse tree') && trees.push(detail ?? ''))
    await client.query('set search_path = appdata, public; set debug_print_parse = on; set client_min_messages = log')
    for (const { name, text } of statements.filter(isPrepared)) {
      const table = name === 'import/read-keyv-table.sql' ? 'web.keyv' : 'web.session'
      trees.length = 0
      await client
        .query(`prepare statement as ${text.replaceAll('"pgstash"."connect_session"', table)}`)
        .catch((error) => {
          throw new Error(`${name}: ${error.message}`)
        })
      await client.query('deallocate statement')
      const oids = trees.flatMap((tree) =>
        [...tree.matchAll(/:(?:opno|funcid|aggfnoid|winfnoid) (\d+)/g)].map(([, oid]) => oid),
      )
      expect([name, trees.length > 0, oids.map((oid) => planted.get(oid as string)).filter(Boolean)]).toEqual([
        name,
        true,
        [],
      ])
    }
    await client.end()
  })

  it('lends none to a function: each is bound, or has its search_path pinned', async () => {
    const { rows } = await admin.query(`
      select p.proname from pg_proc p
      where p.pronamespace = 'pgstash'::regnamespace and p.prosqlbody is null and not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']`)
    // It commits, so it may have no settings: it pins its names itself, and is called below.
    expect(rows).toEqual([{ proname: 'sweep_all' }])
    const bound =
      await admin.query(`select count(*)::int as n from pg_depend d join pg_proc p on p.oid = d.refobjid where p.pronamespace = 'appdata'::regnamespace
      and d.refclassid = 'pg_proc'::regclass and d.classid <> 'pg_operator'::regclass and d.classid <> 'pg_proc'::regclass`)
    expect(bound.rows).toEqual([{ n: 0 }])
  })

  it('is not connected through where it comes before pg_catalog: there even "=" is not what it seems', async () => {
    for (const role of [owner, app]) {
      const connectionString = `${urlOf(role)}?options=${encodeURIComponent('-c search_path=appdata,pg_catalog')}`
      for (const migrate of [true, false]) {
        const stash = new PgStash({ connectionString, schema: 'pgstash', migrate })
        await expect(stash.namespace('n').get('k')).rejects.toMatchObject({
          code: 'ERR_PGSTASH_UNSAFE_SEARCH_PATH',
          first: 'appdata',
        })
        await stash.close()
      }
    }
    expect(await isCalled()).toBe(false)
  })

  // What is planted lies in one schema of the path, then in the other.
  it.each([
    ['appdata', 'rls', 'select'],
    ['appdata', 'column', 'select'],
    ['public', 'rls', 'alter schema public rename to spare; alter schema appdata rename to public'],
    ['public', 'column', 'select'],
  ] as const)(
    '%s, is run by nobody: migrate, sweep, stats, doctor and every verb, as owner and as app, %s',
    async (_, isolation, move) => {
      await admin.query(move)
      const schema = freshSchema()
      const open = (role: string, options: PgStashOptions = {}) =>
        new PgStash({
          connectionString: urlOf(role),
          schema,
          max: 2,
          timeoutMs: 60_000,
          sweeper: false,
          quota: { maxEntries: 1 },
          ...options,
        })
      const ofOwner = open(owner, { isolation, maintenance: urlOf(owner) })
      await ofOwner.migrate()
      await ofOwner.grantTo(app)
      await ofOwner.doctor()
      await ofOwner.close()
      const inUse =
        isolation === 'rls'
          ? [open(app, { isolation, migrate: false, maintenance: urlOf(owner) })]
          : [open(app, { migrate: false }), open(owner)]
      for (const stash of inUse) {
        await everyVerb(stash, 'x')
        await everythingElse(stash)
        await stash.close()
      }
      const client = new pg.Client(urlOf(owner))
      await client.connect()
      await client.query(`call ${schema}.sweep_all()`)
      await client.query(`select * from ${schema}.live_entry`)
      await client.query(
        printSchema({ schema: `${schema}_printed`, isolation, appRole: app, unlogged: true, loggedCounters: true }),
      )
      await client.end()
      expect(await isCalled()).toBe(false)
    },
  )
})

/** What of a stash is no verb: maintenance, tables of others, what the command line asks. */
async function everythingElse(stash: PgStash): Promise<void> {
  for (let at = 0; at < 3; at += 1)
    await stash
      .tenant('t')
      .namespace('n')
      .set(`k${at}`, at, { ttl: at === 0 ? 1 : 60_000 })
  const sessions = new Sessions({ stash, table: 'web.session' })
  await sessions.set('a', { n: 1 } as never)
  await sessions.get('a')
  await sessions.touch('a', {})
  await sessions.all()
  await sessions.length()
  await sessions.destroy('a')
  await sessions.clear()
  const source = new KeyvTableSource({
    url: urlOf(owner),
    table: { schema: 'web', table: 'keyv' },
    match: '*',
    prefix: 'n:',
    rowsPerPage: 1,
    timeoutMs: 60_000,
  })
  await new Import(stash, source, { namespace: 'imported', values: 'text' }).run()
  await source.close()
  await stash.stats()
  await stash.tenant('t').stats()
  await stash.doctor()
  await stash.sweep()
  const rows = stash.tenantRows('t')
  for (const kind of ['sessions', 'rate-limits'] as const) {
    await rows.count(kind, 'n')
    await rows.delete(kind, null)
  }
  await rows.countAll()
}

const isPrepared = ({ text }: { text: string }) => /^(--.*\n)*\s*(select|with|insert|update|delete)\b/.test(text)

async function plantedIn(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query(`
    select oid::text, oid::regprocedure::text as name from pg_proc where pronamespace = 'appdata'::regnamespace
    union all
    select oid::text, oid::regoperator::text from pg_operator where oprnamespace = 'appdata'::regnamespace`)
  return new Map(rows.map(({ oid, name }) => [oid, name]))
}
