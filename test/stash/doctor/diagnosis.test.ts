import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import type { ServerFacts } from '../../../src/postgres/doctor/health'
import { latestMigration } from '../../../src/postgres/schema/migrations'
import { serverVersion } from '../../../src/stash/doctor/server'
import type { PgStashOptions } from '../../../src/stash/options/told'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema, urlAs } from '../../support/bodies'
import { IsolatedSchema } from '../../support/schemas/isolated'
import { hasPgBouncer, PgBouncer } from '../../support/servers/pgbouncer'
import { TestServer } from '../../support/servers/postgres'
import { reportStatistics } from '../../support/servers/statistics'

const url = inject('postgresUrl')

/** Apart by a column, with an owner and a role of the application. */
let plain: IsolatedSchema
/** The same under row-level security. */
let forced: IsolatedSchema

beforeAll(async () => {
  ;[plain, forced] = await Promise.all([IsolatedSchema.empty(url), IsolatedSchema.make(url)])
  const owner = asOwner(plain, { isolation: 'column' })
  await owner.migrate()
  await owner.grantTo(plain.app)
})

afterAll(() => Promise.all([plain.drop(), forced.drop()]))
afterEach(() => void vi.useRealTimers())

function asOwner(made: IsolatedSchema, options?: PgStashOptions): PgStash {
  return made.open({ connectionString: made.urlOf(made.owner), sweeper: false, migrate: false, ...options })
}

interface Look extends PgStashOptions {
  readonly processes?: number
  readonly poolSize?: number
}

/** What doctor says of one check: its status, and its words with the next step. */
async function look(name: string, { processes, poolSize, ...options }: Look): Promise<string> {
  const stash = new PgStash({ timeoutMs: 60_000, sweeper: false, ...options })
  const { checks } = await stash.doctor({ processes, poolSize }).finally(() => stash.close())
  const {
    status,
    detail,
    nextStep = '',
  } = checks.find((check) => check.name === name) ?? { status: 'absent', detail: '' }
  return `${status}: ${detail} ${nextStep}`
}

const ofPlain = (): PgStashOptions => ({ connectionString: plain.urlOf(plain.app), schema: plain.schema })
const ofForced = (): PgStashOptions => ({
  connectionString: forced.urlOf(forced.app),
  schema: forced.schema,
  isolation: 'rls',
})

/** `S.`, `APP`, `OWNER` and `DB` stand for the names of this file. */
const spelt = (text: string, made: IsolatedSchema) =>
  text.replaceAll('S.', `${made.schema}.`).replaceAll('APP', made.app).replaceAll('OWNER', made.owner)

interface Case {
  readonly check: string
  readonly where: string
  /** In which row-level security is forced. */
  readonly isForced?: boolean
  readonly given: string
  readonly after: string
  readonly options?: () => Look
  readonly says: RegExp
}

/** Each makes one thing so, looks, and takes it back. Where all is well, everything is ok: the test below them. */
const cases: readonly Case[] = [
  {
    check: 'server',
    where: 'nothing can be written',
    given: 'alter role APP set default_transaction_read_only = on',
    after: 'alter role APP reset default_transaction_read_only',
    says: /^fail: .*read-only/,
  },
  {
    check: 'server',
    where: 'the default isolation is another one, which does no harm',
    given: `alter role APP set default_transaction_isolation = 'serializable'`,
    after: 'alter role APP reset default_transaction_isolation',
    says: /^ok: .*serializable: each statement says read committed/,
  },
  {
    check: 'statistics',
    where: 'counting is off for the role',
    given: 'alter role APP set track_counts = off',
    after: 'alter role APP reset track_counts',
    says: /^warn: track_counts is off/,
  },
  {
    check: 'statistics',
    where: 'autovacuum is off for a table',
    given: 'alter table S.session set (autovacuum_enabled = off)',
    after: 'alter table S.session reset (autovacuum_enabled)',
    says: /^warn: autovacuum is off for session/,
  },
  {
    check: 'dead-rows',
    where: 'nobody counts them',
    given: 'alter role APP set track_counts = off',
    after: 'alter role APP reset track_counts',
    says: /^unknown: not counted/,
  },
  {
    check: 'hot-updates',
    where: 'nobody counts them',
    given: 'alter role APP set track_counts = off',
    after: 'alter role APP reset track_counts',
    says: /^unknown: not counted/,
  },
  {
    check: 'connections',
    where: 'the role has fewer than one pool takes, and no more for the look at a pooler',
    given: 'alter role APP connection limit 1',
    after: 'alter role APP connection limit -1',
    says: /^fail: 1 connections for the role .*1 × 5 are wanted.*alter role/,
  },
  {
    check: 'pooler',
    where: 'there is no connection left to look with',
    given: 'alter role APP connection limit 1',
    after: 'alter role APP connection limit -1',
    says: /^unknown: it could not be looked for/,
  },
  {
    check: 'connections',
    where: 'the role has as many as are wanted',
    given: 'alter role APP connection limit 40',
    after: 'alter role APP connection limit -1',
    options: () => ({ processes: 6 }),
    says: /^ok: /,
  },
  {
    check: 'connections',
    where: 'the role of maintenance has fewer than its pools take',
    isForced: true,
    given: 'alter role OWNER connection limit 8',
    after: 'alter role OWNER connection limit -1',
    options: () => ({ maintenance: forced.urlOf(forced.owner), processes: 5 }),
    says: /^fail: 8 connections for the role .*_owner, .*5 × 2 are wanted/,
  },
  {
    check: 'maintenance',
    where: 'its role may not connect',
    isForced: true,
    given: 'alter role OWNER nologin',
    after: 'alter role OWNER login',
    options: () => ({ maintenance: forced.urlOf(forced.owner) }),
    says: /^fail: nobody answers to maintenance/,
  },
  {
    check: 'schema',
    where: 'a table of it was dropped',
    given: 'alter table S.session rename to session_gone',
    after: 'alter table S.session_gone rename to session',
    says: /^fail: .* has no session/,
  },
  {
    check: 'schema',
    where: 'a schema is searched before pg_catalog',
    given: 'alter role APP set search_path = public, pg_catalog',
    after: 'alter role APP reset search_path',
    says: /^fail: .*refuses to start.*search_path/,
  },
  {
    check: 'schema',
    where: 'the last migration is missing',
    given: `update S.migration set id = -1 where id = ${latestMigration}`,
    after: `update S.migration set id = ${latestMigration} where id = -1`,
    says: /^fail: .* missing Run pgstash migrate/,
  },
  {
    check: 'schema',
    where: 'a newer version of this package has migrated',
    given: `insert into S.migration (id, name) values (1000, 'of_tomorrow')`,
    after: 'delete from S.migration where id = 1000',
    says: /^fail: .*Upgrade pgstash/,
  },
  {
    check: 'role',
    where: 'a right was taken from it',
    given: 'revoke delete on S.entry from APP',
    after: 'grant delete on S.entry to APP',
    says: /^fail: .*lacks delete on entry/,
  },
  {
    check: 'role',
    where: 'it may truncate, though trusted with the rows of all',
    given: 'grant truncate on S.entry to APP',
    after: 'revoke truncate on S.entry from APP',
    says: /^warn: .*truncate on entry/,
  },
  {
    check: 'role',
    where: 'it may truncate the rows of all tenants',
    isForced: true,
    given: 'grant truncate on S.entry to APP',
    after: 'revoke truncate on S.entry from APP',
    says: /^fail: .*truncate on entry/,
  },
  {
    check: 'isolation',
    where: 'one table is not forced',
    isForced: true,
    given: 'alter table S.session no force row level security',
    after: 'alter table S.session force row level security',
    says: /^fail: row-level security is not forced/,
  },
  {
    check: 'isolation',
    where: 'one table alone is forced, and none is to be',
    given: 'alter table S.session enable row level security; alter table S.session force row level security',
    after: 'alter table S.session disable row level security; alter table S.session no force row level security',
    says: /^fail: row-level security is forced on some of the tables only/,
  },
  {
    check: 'role',
    where: 'a policy of somebody else shows all, be there rows or not',
    isForced: true,
    given: 'create policy leak on S.entry for select using (true)',
    after: 'drop policy leak on S.entry',
    says: /^fail: .*the policy leak on entry/,
  },
  {
    check: 'isolation',
    where: 'the role has BYPASSRLS',
    isForced: true,
    given: 'alter role APP bypassrls',
    after: 'alter role APP nobypassrls',
    says: /^fail: .*BYPASSRLS/,
  },
  {
    check: 'backup',
    where: 'one table alone is forced, and it is the owner',
    given: 'alter table S.session enable row level security; alter table S.session force row level security',
    after: 'alter table S.session disable row level security; alter table S.session no force row level security',
    options: () => ({ connectionString: plain.urlOf(plain.owner) }),
    says: /^warn: pg_dump of the whole database fails.*--enable-row-security.*--exclude-schema/,
  },
  {
    check: 'backup',
    where: 'no policy applies to the role',
    isForced: true,
    given: 'alter role OWNER bypassrls',
    after: 'alter role OWNER nobypassrls',
    options: () => ({ connectionString: forced.urlOf(forced.owner) }),
    says: /^ok: /,
  },
  {
    check: 'replicas',
    where: 'sessions are unlogged',
    given: 'alter table S.session set unlogged',
    after: 'alter table S.session set logged; select S.reserve_blocks()',
    says: /^warn: .*emptied by a crash or a failover: session/,
  },
  {
    check: 'replicas',
    where: 'what is cleared is unlogged',
    given: 'alter table S.namespace set unlogged',
    after: 'alter table S.namespace set logged; select S.reserve_blocks()',
    says: /^warn: .*namespace what was cleared comes back/,
  },
  {
    check: 'files',
    where: 'a table was emptied by truncate',
    given: 'truncate S.session',
    after: 'select S.reserve_blocks()',
    says: /^warn: .*session/,
  },
  {
    check: 'near-log',
    where: 'namespaces are held near',
    given: `insert into S.namespace (tenant, namespace, generation, uses) values ('t', '', 0, 1), ('t', 'n', 0, 9), ('t', 's', 0, 20)`,
    after: `delete from S.namespace where uses <> 0`,
    says: /^ok: 2 namespaces are held near; the log has 0 rows/,
  },
  {
    check: 'connections',
    where: 'namespaces are held near, and each process listens',
    given: `insert into S.namespace (tenant, namespace, generation, uses) values ('t', 'n', 0, 9)`,
    after: `delete from S.namespace where uses <> 0`,
    says: /^ok: .*pools of 5, and the connection that listens/,
  },
  {
    check: 'near-log',
    where: 'a transaction is older than a mark',
    given: `insert into S.namespace (tenant, namespace, generation, uses) values ('t', 'n', 0, 9), ('t', 'm', 0, 1)`,
    after: `delete from S.namespace where uses <> 0`,
    says: /^warn: .*; 1 of them may not be held yet/,
  },
  {
    check: 'near-log',
    where: 'nobody keeps it up',
    given: `insert into S.invalidation (kind, digests) select 'k', '{1}' from generate_series(1, 100001);
      insert into S.incarnation (turned_at) values (S.now_ms() - 1000000)`,
    after: 'truncate S.invalidation, S.incarnation',
    says: /^warn: .*100,001 rows.*nobody keeps it up/,
  },
  {
    check: 'near-log',
    where: 'nobody ever read it',
    given: `insert into S.invalidation (kind, digests) select 'k', '{1}' from generate_series(1, 100001)`,
    after: 'truncate S.invalidation, S.incarnation',
    says: /^warn: .*nobody keeps it up/,
  },
  {
    check: 'sweep',
    where: 'something has expired and nobody swept',
    given: `insert into S.counter (tenant, namespace, key, hits, reset_at, counted_at, expires_at) values ('t', 'n', 'k', 1, 1, 1, 1)`,
    after: 'delete from S.counter',
    says: /^warn: there was none yet/,
  },
  {
    check: 'sweep',
    where: 'the policies hide what there is, and nobody counts it',
    isForced: true,
    given: 'alter role APP set track_counts = off',
    after: 'alter role APP reset track_counts',
    says: /^warn: there was none yet/,
  },
]

describe('doctor', () => {
  it('finds nothing wrong where all is well, by a column and under row-level security', async () => {
    for (const options of [ofPlain(), { ...ofForced(), maintenance: forced.urlOf(forced.owner) }]) {
      const stash = new PgStash({ sweeper: false, timeoutMs: 60_000, ...options })
      const { isHealthy, checks } = await stash.doctor().finally(() => stash.close())
      expect(checks.filter(({ status }) => status !== 'ok')).toEqual([])
      expect(isHealthy).toBe(true)
    }
  })

  it.each(cases.map((one) => [one.check, one.where, one] as const))('%s: where %s', async (_, __, one) => {
    const made = one.isForced ? forced : plain
    await made.admin(spelt(one.given, made))
    const usual = one.isForced ? ofForced() : ofPlain()
    const said = await look(one.check, { ...usual, ...one.options?.() }).finally(() =>
      made.admin(spelt(one.after, made)),
    )
    expect(said).toMatch(one.says)
  })

  it('refuses servers before 14, which none of the tests is', () => {
    const facts = { version: '13.9', versionNumber: 130_009, defaultIsolation: 'read committed' } as ServerFacts
    expect(serverVersion(facts).status).toBe('fail')
    expect(serverVersion({ ...facts, version: '14.0', versionNumber: 140_000 }).status).toBe('ok')
  })

  it('clock: a second and more between the two, and less', async () => {
    for (const [offsetMs, status] of [
      [-5_000, 'warn'],
      [5_000, 'warn'],
      [0, 'ok'],
    ] as const) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offsetMs, shouldAdvanceTime: false })
      expect(await look('clock', ofPlain())).toMatch(new RegExp(`^${status}`))
      vi.useRealTimers()
    }
  })

  it('schema, role, backup: where nothing is there', async () => {
    const options = { connectionString: plain.urlOf(plain.app), schema: freshSchema() }
    expect(await look('schema', options)).toMatch(/^fail: .* is not there/)
    for (const name of ['role', 'isolation', 'backup', 'files', 'dead-rows', 'hot-updates', 'near-log', 'sweep'])
      expect(await look(name, options)).toMatch(/^unknown: the schema is not there/)
  })

  it('role: a superuser; isolation: the owner, and one that the policies hold for unawares', async () => {
    expect(await look('role', { connectionString: url, schema: plain.schema })).toMatch(/^warn: .*superuser/)
    const owner = forced.urlOf(forced.owner)
    expect(await look('isolation', { ...ofForced(), connectionString: owner })).toMatch(/^fail: .*owns the tables/)
    expect(await look('isolation', { ...ofForced(), isolation: 'column' })).toMatch(/^fail: .*isolation: 'rls'/)
    expect(await look('backup', { ...ofForced(), connectionString: owner })).toMatch(/^warn: pg_dump .* fails/)
    expect(await look('maintenance', { ...ofForced(), maintenance: forced.urlOf(forced.app) })).toMatch(/^fail: /)
  })

  it('connections, encoding: the limit of a database, others in it, and what its encoding lacks', async () => {
    const name = freshSchema()
    await plain.admin(`create database ${name} encoding 'LATIN1' locale 'C' template template0 connection limit 20`)
    const address = new URL(plain.urlOf(plain.app))
    address.pathname = `/${name}`
    const options = { connectionString: address.href, schema: plain.schema }
    const guests = new pg.Pool({ connectionString: urlAs(plain.owner, address.href), max: 12 })
    // Its end does not wait until each has hung up, and a dropped database sends them home.
    guests.on('error', () => undefined)
    try {
      expect(await look('encoding', options)).toMatch(/^warn: .*LATIN1/)
      expect(await look('connections', { ...options, processes: 3 })).toMatch(/^ok: .*20 connections for the database/)
      expect(await look('connections', { ...options, processes: 5 })).toMatch(/^fail: 20 .*5 × 5 are wanted/)
      await Promise.all(Array.from({ length: 12 }, () => guests.query('select pg_sleep(0.2)')))
      expect(await look('connections', { ...options, processes: 3 })).toMatch(/^warn: .*12 of them by other roles/)
    } finally {
      await guests.end()
      await plain.admin(`drop database ${name} with (force)`)
    }
  })

  it('encoding: a database that looks at no character', async () => {
    const name = freshSchema()
    await plain.admin(`create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`)
    const address = new URL(plain.urlOf(plain.app))
    address.pathname = `/${name}`
    try {
      const said = await look('encoding', { connectionString: address.href, schema: plain.schema })
      expect(said).toMatch(/^warn: .*SQL_ASCII: it keeps bytes as they come.*encoding 'UTF8'/)
    } finally {
      await plain.admin(`drop database ${name} with (force)`)
    }
  })

  it('dead-rows, hot-updates: twenty thousand of each', async () => {
    const rows = `insert into S.entry (tenant, namespace, key, generation, version, format, written_at, value)
      select 't', 'n', i::text, 0, 0, 't', 0, '' from generate_series(1, 20000) i`
    // An index on what writes change is what keeps updates from being HOT.
    for (const text of [
      'alter table S.entry set (autovacuum_enabled = off)',
      rows,
      'create index of_mine on S.entry (written_at)',
      'update S.entry set written_at = 1',
    ])
      await plain.admin(spelt(text, plain))
    await reportStatistics((text) => plain.admin(text))
    expect(await look('dead-rows', ofPlain())).toMatch(/^warn: entry: .*off for entry/)
    expect(await look('hot-updates', ofPlain())).toMatch(/^warn: entry 0 % of 20,000/)
    for (const text of [
      'drop index S.of_mine',
      'delete from S.entry',
      'alter table S.entry reset (autovacuum_enabled)',
    ])
      await plain.admin(spelt(text, plain))
    const afterVacuum = async () => {
      await plain.admin(spelt('vacuum S.entry', plain))
      await plain.admin(spelt('select S.reserve_blocks()', plain))
      return look('dead-rows', ofPlain())
    }
    // What an open transaction may still see stays, be it one of another test.
    await expect.poll(afterVacuum, { timeout: 20_000, interval: 200 }).toMatch(/^ok/)
  })

  it('pooler: a pool of the caller that goes straight to the server', async () => {
    const pool = new pg.Pool({ connectionString: plain.urlOf(plain.app), max: 2 })
    expect(await look('pooler', { pool, schema: plain.schema })).toMatch(/^ok: none/)
    await pool.end()
  })

  it.runIf(hasPgBouncer).each([
    // Which of the two, is a matter of its version.
    ['transaction', /^(ok|warn): .*transaction mode, and (keeps|loses)/, []],
    ['session', /^ok: .*session mode/, ['pool_mode=session']],
    ['statement', /^fail: .*statement mode/, ['pool_mode=statement']],
    ['full', /^ok: a pooler .*could not be told/, ['max_client_conn=2']],
  ] as const)('pooler: a PgBouncer, %s', async (_, says, settings) => {
    const bouncer = await PgBouncer.before(url, plain.app, settings)
    try {
      const options = { connectionString: bouncer.url, schema: plain.schema }
      expect(await look('pooler', options)).toMatch(says)
      // The clients are the pooler's matter, however many.
      expect(await look('connections', { ...options, processes: 100, poolSize: 20 })).toMatch(/^ok: .*max_client_conn/)
      const pool = new pg.Pool({ connectionString: bouncer.url, max: 1 })
      const ofCaller = await look('pooler', { pool, schema: plain.schema }).finally(() => pool.end())
      expect(ofCaller).toMatch(/^ok: a pooler/)
    } finally {
      await bouncer.stop()
    }
  })

  it('server, statistics, replicas, dead-rows, files: autovacuum off, a replica connected, and as a replica', async () => {
    const own = await TestServer.create()
    try {
      await own.start()
      const options = { connectionString: own.url() }
      const primary = new PgStash({ ...options, sweeper: false, timeoutMs: 60_000, unlogged: true })
      await primary.migrate()
      await primary.close()
      const admin = new pg.Client(options)
      await admin.connect()
      await admin.query('alter system set autovacuum = off')
      await admin.query('select pg_reload_conf()')
      const { rows } = await admin.query('show data_directory')
      const replica = new pg.Client({ ...options, replication: 'database' } as pg.ClientConfig)
      await replica.connect()
      expect(await look('replicas', options)).toMatch(/^warn: 1 connected, and entry is unlogged/)
      expect(await look('statistics', options)).toMatch(/^warn: autovacuum is off/)
      await Promise.all([replica.end(), admin.end()])
      await own.stop()
      await writeFile(join(rows[0].data_directory, 'standby.signal'), '')
      await own.start()
      expect(await look('server', options)).toMatch(/^fail: .*a replica/)
      for (const name of ['dead-rows', 'hot-updates']) expect(await look(name, options)).toMatch(/^unknown: a replica/)
      expect(await look('files', options)).toMatch(/^ok/)
    } finally {
      await own.remove()
    }
  })
})
