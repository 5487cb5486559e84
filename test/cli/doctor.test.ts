import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { printSchema } from '../../src/stash/schema-script'
import { urlAs } from '../support/bodies'
import { hasPgBouncer, PgBouncer } from '../support/servers/pgbouncer'
import { documentOf, freshName, pgstash, type Run } from './pgstash'

interface Document {
  readonly isHealthy: boolean
  readonly checks: readonly { name: string; status: string; detail: string; nextStep?: string }[]
}

const schema = freshName()
const [app, stranger, monitor] = [`${schema}_app`, `${schema}_stranger`, `${schema}_monitor`]
let pool: pg.Pool

beforeAll(async () => {
  pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
  for (const role of [app, stranger, monitor]) await pool.query(`create role ${role} login`)
  await pool.query(`grant pg_monitor to ${monitor}`)
  await pool.query(printSchema({ schema, appRole: app }))
})

afterAll(async () => {
  await pool.query(`drop schema ${schema} cascade`)
  for (const role of [app, stranger, monitor]) await pool.query(`drop role ${role}`)
  await pool.end()
})

const doctor = (role: string, ...flags: string[]) =>
  pgstash(['doctor', '--json', '--schema', schema, '--url', urlAs(role, inject('postgresUrl')), ...flags])

function checkOf(run: Run, name: string) {
  return documentOf<Document>(run).checks.find((check) => check.name === name)
}

function statusesOf(run: Run): Record<string, string> {
  return Object.fromEntries(documentOf<Document>(run).checks.map(({ name, status }) => [name, status]))
}

describe('pgstash doctor', () => {
  it('finds nothing wrong where all is well', async () => {
    const run = await doctor(app)
    expect(statusesOf(run)).toEqual(
      Object.fromEntries(
        [
          'server',
          'encoding',
          'statistics',
          'clock',
          'connections',
          'pooler',
          'replicas',
          'schema',
          'role',
          'isolation',
          'backup',
          'files',
          'dead-rows',
          'hot-updates',
          'near-log',
          'sweep',
        ].map((name) => [name, 'ok']),
      ),
    )
    expect(run).toMatchObject({ code: 0, stderr: '' })
  })

  it('is a page for people, each trouble with its next step', async () => {
    const { code, stdout } = await pgstash(['doctor', '--schema', 'cli_not_there'])
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^fail +schema +cli_not_there is not there\n +→ Run pgstash migrate --schema cli_not_there\.$/m,
    )
    expect(stdout).toMatch(/\d+ ok, \d+ warn, 1 fail, \d+ unknown\n$/)
  })

  it('tells a role without rights what to ask for', async () => {
    const run = await doctor(stranger)
    expect(run.code).toBe(1)
    expect(checkOf(run, 'role')).toMatchObject({
      status: 'fail',
      nextStep: `As the owner: pgstash migrate --schema ${schema} --app-role ${stranger}.`,
    })
    expect(checkOf(run, 'schema')).toMatchObject({
      status: 'unknown',
      detail: expect.stringContaining('permission denied'),
    })
    expect(checkOf(run, 'sweep')).toMatchObject({ status: 'unknown' })
  })

  it('knows a role that only monitors', async () => {
    const run = await doctor(monitor)
    expect(run.code).toBe(0)
    expect(checkOf(run, 'role')).toMatchObject({ status: 'unknown', detail: expect.stringContaining('only monitors') })
  })

  it.each([
    ['usage on sequence version', 'usage on version'],
    ['select on migration', 'select on migration'],
    ['insert on sweep', 'insert on sweep'],
  ])('misses %s', async (right, told) => {
    const [privilege, place] = right.split(' on ') as [string, string]
    const at = place.replace(/(\w+)$/, `${schema}.$1`)
    await pool.query(`revoke ${privilege} on ${at} from ${app}`)
    const run = await doctor(app)
    await pool.query(`grant ${privilege} on ${at} to ${app}`)
    expect(run.code).toBe(1)
    expect(checkOf(run, 'role')).toMatchObject({ status: 'fail', detail: `${app} lacks ${told}` })
  })

  it('fails under a schema of a newer version', async () => {
    await pool.query(`insert into ${schema}.migration (id, name) values (99, 'from_tomorrow')`)
    const run = await doctor(app)
    await pool.query(`delete from ${schema}.migration where id = 99`)
    expect(run.code).toBe(1)
    expect(checkOf(run, 'schema')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('migration 99'),
      nextStep: expect.stringContaining('Upgrade pgstash'),
    })
  })

  it('measures pools against the server', async () => {
    expect(checkOf(await doctor(app, '--pool', '20', '--processes', '50'), 'connections')).toMatchObject({
      status: 'fail',
    })
    expect(checkOf(await doctor(app, '--pool', '20', '--processes', '14'), 'connections')).toMatchObject({
      status: 'warn',
    })
    expect((await doctor(app, '--pool', '0')).code).toBe(2)
  })

  it('sees files that are too small, and dead rows', async () => {
    await pool.query(`truncate ${schema}.entry`)
    await pool.query(`alter table ${schema}.entry set (autovacuum_enabled = false)`)
    await pool.query(`insert into ${schema}.entry (tenant, namespace, key, generation, version, format, written_at, value)
      select 't', 'n', i::text, 0, 0, 't', 0, '' from generate_series(1, 20000) i`)
    expect(checkOf(await doctor(app), 'files')).toMatchObject({ status: 'ok' })
    await pool.query(`truncate ${schema}.session`)
    await pool.query(`delete from ${schema}.entry`)
    await pool.query('select pg_stat_force_next_flush()').catch(() => {})
    const run = await doctor(app)
    expect(checkOf(run, 'files')).toMatchObject({ status: 'warn', detail: expect.stringContaining('session') })
    expect(checkOf(run, 'dead-rows')).toMatchObject({
      status: 'warn',
      // The server's count takes in what other connections tell late: the rows of the reserved blocks.
      detail: expect.stringMatching(/entry: 20,\d{3}, 100 %/),
      nextStep: expect.stringContaining('off for entry'),
    })
    await pool.query(`select ${schema}.reserve_blocks()`)
    await pool.query(`vacuum ${schema}.entry`)
    expect(statusesOf(await doctor(app))).toMatchObject({ files: 'ok', 'dead-rows': 'ok' })
  })

  it('warns of a sweep that nobody does', async () => {
    const columns = 'tenant, namespace, key, generation, version, format, written_at, value, expires_at'
    await pool.query(`insert into ${schema}.entry (${columns}) values ('t', 'n', 'k', 0, 0, 't', 0, '', null)`)
    expect(checkOf(await doctor(app), 'sweep')).toMatchObject({
      status: 'ok',
      detail: 'there was none yet; there is nothing to sweep',
    })
    await pool.query(`insert into ${schema}.entry (${columns}) values ('t', 'n', 'brief', 0, 0, 't', 0, '', 1)`)
    expect(checkOf(await doctor(app), 'sweep')).toMatchObject({ status: 'warn' })
    // Somebody takes the lease again and again, and fails.
    await pool.query(`insert into ${schema}.sweep (name, holder, leased_until)
      values ('sweeper', 'somebody', ${schema}.now_ms() + 60000)`)
    expect(checkOf(await doctor(app), 'sweep')).toMatchObject({
      status: 'warn',
      detail: 'there was none yet; somebody is at it now',
      nextStep: expect.stringContaining('pgstash:sweep'),
    })
    await pgstash(['cleanup', '--schema', schema])
    expect(checkOf(await doctor(app), 'sweep')).toMatchObject({
      status: 'ok',
      detail: expect.stringMatching(/removed 1 rows; by the sweeper of a stash: none yet$/),
    })
  })

  it('holds row-level security to its word', async () => {
    expect(checkOf(await doctor(app, '--isolation', 'rls'), 'isolation')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('not forced'),
    })
    await pool.query(`select ${schema}.enforce_row_level_security()`)
    expect(checkOf(await doctor(app, '--isolation', 'rls'), 'isolation')).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining(`holds for ${app}`),
    })
    expect(checkOf(await doctor(app), 'isolation')).toMatchObject({
      status: 'fail',
      nextStep: expect.stringContaining('rls'),
    })
    expect(checkOf(await doctor('postgres', '--isolation', 'rls'), 'isolation')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('superuser'),
    })
    expect(checkOf(await doctor('postgres'), 'isolation')).toMatchObject({ status: 'ok' })
    await pool.query(`create policy leak on ${schema}.entry for select using (true)`)
    expect(checkOf(await doctor(app, '--isolation', 'rls'), 'isolation')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('without naming a tenant'),
    })
    await pool.query(`drop policy leak on ${schema}.entry`)
  })

  it('has the other commands work under row-level security', async () => {
    const as = (role: string) => ['--schema', schema, '--url', urlAs(role, inject('postgresUrl'))]
    const own = await pgstash(['test', '--isolation', 'rls', '--json', ...as(app)])
    expect(documentOf<{ steps: { isOk: boolean }[] }>(own).steps.filter(({ isOk }) => !isOk)).toEqual([])
    expect(own.code).toBe(0)
    expect((await pgstash(['test', ...as('postgres')])).code).toBe(0)
    expect((await pgstash(['test', '--isolation', 'rls', ...as(app)])).stdout).toMatch(
      /^skip +entries +clear +left out\n +it leaves a row/m,
    )
    const held = await pgstash(['stats', '--tenant', 't', '--isolation', 'rls', '--json', ...as(app)])
    expect(documentOf(held)).toMatchObject({ tenant: 't', live: 1 })
    expect(await pgstash(['stats', '--isolation', 'rls', ...as(app)])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--tenant'),
    })
    const refused = await pgstash(['stats', ...as(app)])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ERR_PGSTASH_UNSAFE_ROLE: /) })
    expect(
      (await pgstash(['clear', '--tenant', 't', '--dry-run', '--isolation', 'rls', '--json', ...as(app)])).stdout,
    ).toContain('"live":1')
    expect((await pgstash(['clear', '--tenant', 't', '--yes', '--isolation', 'rls', ...as(app)])).code).toBe(0)
  })

  it('looks at PGlite, too', async () => {
    const pglite = new PGlite()
    const stash = new PgStash({ pglite, sweeper: false })
    const before = await stash.doctor()
    await stash.ready()
    const after = await stash.doctor()
    const shared = await stash.doctor({ processes: 2 })
    await stash.close()
    await pglite.close()
    expect(before).toMatchObject({
      isHealthy: false,
      checks: expect.arrayContaining([expect.objectContaining({ name: 'schema', status: 'fail' })]),
    })
    expect(after.isHealthy).toBe(true)
    expect(after.checks).toContainEqual(expect.objectContaining({ name: 'connections', status: 'ok' }))
    expect(shared.checks).toContainEqual(expect.objectContaining({ name: 'connections', status: 'fail' }))
    expect(after.checks.filter(({ status }) => status === 'unknown')).toEqual([])
  })

  it('leaves the other commands to roles that may', async () => {
    const as = ['--schema', schema, '--url', urlAs(stranger, inject('postgresUrl'))]
    for (const args of [
      ['stats'],
      ['cleanup'],
      ['clear', '--tenant', 't', '--yes'],
      ['test'],
      ['migrate', '--check'],
    ]) {
      const { code, stdout, stderr } = await pgstash([...args, ...as])
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(/^ERR_PGSTASH_PRIVILEGE: .*\n$/)
    }
    const { code, stderr } = await pgstash(['migrate', ...as, '--schema', 'cli_of_nobody'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^ERR_PGSTASH_PRIVILEGE: /) })
  })

  it.runIf(hasPgBouncer)('sees a PgBouncer in between, and what it does to prepared statements', async () => {
    const bouncer = await PgBouncer.before(inject('postgresUrl'))
    const run = await pgstash(['doctor', '--json', '--schema', schema, '--url', bouncer.url])
    const pooler = checkOf(run, 'pooler')
    await bouncer.stop()
    expect(pooler).toMatchObject({
      detail: expect.stringMatching(/in transaction mode, and (loses|keeps) prepared statements/),
    })
  })
})
