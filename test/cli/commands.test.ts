import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { runCommand } from '../support/processes'
import { sleep } from '../support/sleep'
import { documentOf, freshName, main, pgstash } from './pgstash'

const schema = freshName()
let stash: PgStash
let pool: pg.Pool

beforeAll(async () => {
  stash = new PgStash({ connectionString: inject('postgresUrl'), schema, sweeper: false })
  pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
  await stash.ready()
})

afterAll(async () => {
  await stash.close()
  await pool.query(`drop schema if exists ${schema} cascade`)
  await pool.end()
})

const at = ['--schema', schema]
const missing = ['--schema', 'cli_not_there']
const nowhere = ['--url', 'postgres://postgres@127.0.0.1:1/postgres']

/** The rows of a tenant in all tables. */
async function rowsOf(tenant: string): Promise<number> {
  const counts = ['entry', 'session', 'counter', 'namespace'].map((table) =>
    pool.query(`select count(*)::int as count from ${schema}.${table} where tenant = $1`, [tenant]),
  )
  return (await Promise.all(counts)).reduce((sum, { rows }) => sum + rows[0].count, 0)
}

async function fill(tenant: string): Promise<void> {
  const views = stash.tenant(tenant).namespace('views')
  await views.setMany(Array.from({ length: 20 }, (_, at) => ({ key: `k${at}`, value: at })))
  await views.setMany(Array.from({ length: 5 }, (_, at) => ({ key: `brief${at}`, value: at, ttl: 1 })))
  await stash.tenant(tenant).namespace('views', { version: 2 }).set('k', 'x'.repeat(5_000))
  await stash.tenant(tenant).namespace('other').set('k', 1)
  await new Sessions({ stash, tenant }).set('s', { user: 'ada' })
  await new RateLimiter({ stash, tenant, name: 'search', limit: 5, windowMs: 60_000 }).consume('ada')
  await new RateLimiter({ stash, tenant, name: 'mail', limit: 5, windowMs: 60_000 }).consume('ada')
  await sleep(20)
}

describe('every command', () => {
  const commands = [
    ['migrate'],
    ['migrate', '--check'],
    ['stats'],
    ['cleanup'],
    ['clear', '--tenant', 'a', '--yes'],
    ['test'],
    ['doctor'],
    ['demo'],
  ]

  it.each(commands)('says so where nobody answers: %s %s', async (...args) => {
    const { code, stdout, stderr } = await pgstash([...args, ...nowhere])
    expect({ code, stdout: args[0] === 'demo' ? '' : stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^ERR_PGSTASH_CONNECTION: no connection to PostgreSQL .*\n$/)
  })

  it.each(commands)('tells the failure as JSON too: %s %s', async (...args) => {
    const run = await pgstash([...args, ...nowhere, '--json'])
    expect(run.code).toBe(1)
    expect(documentOf(run)).toEqual({ error: { code: 'ERR_PGSTASH_CONNECTION', message: expect.any(String) } })
  })

  it.each(commands)('refuses a flag it does not know, and values that will not do: %s %s', async (...args) => {
    const runs = await Promise.all([
      pgstash([...args, '--nonsense']),
      pgstash([...args, '--url', 'mysql://user:secret@host']),
      pgstash([...args, 'word']),
      ...(args[0] === 'demo' ? [] : [pgstash([...args, '--schema', 'a"b'])]),
    ])
    for (const { code, stdout, stderr } of runs) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^ERR_PGSTASH_(USAGE|INVALID_ARGUMENT): .*\n$/)
      expect(stderr).not.toContain('secret')
    }
  })

  it.each(commands.filter(([name]) => !['migrate', 'doctor', 'demo'].includes(name as string)))(
    'makes no schema: %s %s',
    async (...args) => {
      const { code, stderr } = await pgstash([...args, ...missing])
      expect(code).toBe(1)
      expect(stderr).toMatch(/^ERR_PGSTASH_SCHEMA_OUTDATED: .*pgstash migrate/)
      const { rows } = await pool.query(`select 1 from pg_namespace where nspname = 'cli_not_there'`)
      expect(rows).toEqual([])
    },
  )

  it('has help, and shows it where no command is named', async () => {
    expect(await pgstash(['--help'])).toEqual({ code: 0, stdout: expect.stringContaining('doctor'), stderr: '' })
    expect(await pgstash([])).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage: pgstash') })
    for (const flag of ['--version', '-V'])
      expect(await pgstash([flag])).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
    expect((await pgstash(['nonsense'])).code).toBe(2)
    for (const [name] of commands) expect((await pgstash([name as string, '--help'])).code).toBe(0)
  })
})

describe.runIf(existsSync('/dev/full'))('a stdout that cannot be written', () => {
  const shell = (command: string) => runCommand('sh', ['-c', command.replace('pgstash', `node ${main}`)])

  it('is a failure, and told', async () => {
    expect(await shell('pgstash migrate --print > /dev/full')).toEqual({
      code: 1,
      output: expect.stringMatching(/^ERR_PGSTASH_OUTPUT: stdout could not be written: ENOSPC.*\n$/),
    })
  })

  it('is none where nobody reads on', async () => {
    expect((await shell('pgstash migrate --print | head -1')).output).toMatch(/^-- pgstash: the whole schema.*\n$/)
  })
})

describe('pgstash migrate', () => {
  it('checks, changes nothing, makes the schema, and checks again', async () => {
    const own = ['--schema', freshName()]
    const before = await pgstash(['migrate', '--check', ...own])
    expect(before).toEqual({ code: 1, stdout: expect.stringContaining('Missing: 0001_tables, '), stderr: '' })
    expect(documentOf(await pgstash(['migrate', '--check', '--json', ...own]))).toMatchObject({
      isCurrent: false,
      exists: false,
      migration: 0,
    })
    const applied = documentOf<{ applied: string[] }>(
      await pgstash(['migrate', '--json', '--logged-counters', '--unlogged', ...own]),
    )
    expect(applied.applied[0]).toBe('0001_tables')
    expect(await pgstash(['migrate', '--check', ...own])).toEqual({
      code: 0,
      stdout: 'The schema is current.\n',
      stderr: '',
    })
    const { rows } = await pool.query(
      `select relname, relpersistence from pg_class where relnamespace = '${own[1]}'::regnamespace and relname in ('entry', 'counter') order by 1`,
    )
    expect(rows).toEqual([
      { relname: 'counter', relpersistence: 'p' },
      { relname: 'entry', relpersistence: 'u' },
    ])
    const again = await pgstash(['migrate', '--unlogged', '--logged-counters', ...own])
    expect(again.stdout).toMatch(
      /^The schema is current\.\n--unlogged had no effect.*\n--logged-counters had no effect/,
    )
    expect(documentOf(await pgstash(['migrate', '--unlogged', '--json', ...own]))).toMatchObject({
      withoutEffect: ['--unlogged'],
    })
    const unforced = await pgstash(['migrate', '--check', '--isolation', 'rls', ...own])
    expect(unforced).toEqual({ code: 1, stdout: expect.stringContaining('not forced'), stderr: '' })
    await pool.query(`drop schema ${own[1]} cascade`)
  })

  it('prints the SQL, as text and as JSON', async () => {
    const text = await pgstash(['migrate', '--print', '--logged-counters', ...at])
    expect(text.stdout).toContain(`create table "${schema}".entry`)
    expect(documentOf(await pgstash(['migrate', '--print', '--logged-counters', '--json', ...at]))).toEqual({
      sql: text.stdout,
    })
  })

  it('says what to do about a role that is not there', async () => {
    const { code, stderr } = await pgstash(['migrate', '--app-role', 'nope', ...at])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        /^The schema is current\. Nothing was granted\.\nERR_PGSTASH_DATABASE: .*there is no role nope.* create it first\.\n$/,
      ),
    })
  })

  it('refuses flags that do not go together', async () => {
    for (const flags of [
      ['--print', '--check'],
      ['--from', '2'],
      ['--print', '--from', '-1'],
      ['--print', '--from', '99'],
      ['--isolation', 'none'],
      ['--app-role', ''],
    ])
      expect((await pgstash(['migrate', ...at, ...flags])).code).toBe(2)
  })
})

describe('pgstash stats', () => {
  beforeAll(() => fill('stats'))

  it('shows the whole, a tenant, and a namespace', async () => {
    const whole = await pgstash(['stats', '--exact', ...at])
    expect(whole.stdout).toMatch(
      /counted whole[\s\S]*entries +22 +5 +0 +[\s\S]*sessions +1 +0[\s\S]*rate limits +2 +0[\s\S]*last sweep: none yet/,
    )
    const tenant = await pgstash(['stats', '--tenant', 'stats', ...at])
    expect(tenant.stdout).toMatch(/entries +22 +5 +0/)
    const namespace = await pgstash(['stats', '--namespace', 'views', ...at])
    expect(namespace.stdout).toMatch(/entries +21 +5 +0[\s\S]*views@v2/)
    expect(whole.stdout).not.toContain('\x1b')
  })

  it('is one JSON document', async () => {
    const whole = documentOf(await pgstash(['stats', '--json', ...at]))
    expect(whole).toMatchObject({
      schema,
      live: 22,
      expired: 5,
      isEstimate: false,
      lastSweep: null,
      sessions: { live: 1 },
      rateLimits: { live: 2 },
    })
    const one = documentOf(await pgstash(['stats', '--json', '--tenant', 'stats', '--namespace', 'other', ...at]))
    expect(one).toMatchObject({ tenant: 'stats', namespace: 'other', live: 1, expired: 0 })
  })

  it('tells of the log of what is held near, where something is', async () => {
    expect((await pgstash(['stats', ...at])).stdout).not.toContain('held near')
    const none = { namespaces: 0, rows: 0, reachesMsBack: null }
    expect(documentOf(await pgstash(['stats', '--json', ...at]))).toMatchObject({ nearLog: none })
    const near = new PgStash({ connectionString: inject('postgresUrl'), schema, sweeper: false })
    const cache = near.tenant('near').namespace('views', { near: true })
    await cache.get('home')
    await expect.poll(() => near.near.stats().warming, { timeout: 10_000 }).toBe(0)
    await cache.set('home', 1)
    await cache.delete('home')
    await near.near.sync()
    // The first turn is made aside, after a look at the log.
    await expect.poll(async () => (await near.stats()).nearLog.reachesMsBack, { timeout: 10_000 }).toBeTypeOf('number')
    await near.close()
    expect((await pgstash(['stats', ...at])).stdout).toMatch(
      /held near: 1 namespace; log of [1-9]\d* rows?, [\d.]+ KiB, from \d+ s ago on\nlast sweep: none yet/,
    )
    const { nearLog } = documentOf(await pgstash(['stats', '--json', ...at])) as { nearLog: Record<string, number> }
    expect(nearLog).toMatchObject({ namespaces: 1, rows: expect.any(Number), bytes: expect.any(Number) })
    expect(nearLog.reachesMsBack).toBeGreaterThanOrEqual(0)
  })

  it('watches until it is interrupted, one screen below the other where there is no terminal', async () => {
    const { code, stdout, stderr } = await pgstash(['stats', '--watch', '0.2', ...at], { interruptOn: 'none yet\n' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('last sweep')
    expect(stdout).not.toContain('\x1b')
  })

  it('ends at once, though a query hangs', async () => {
    const client = await pool.connect()
    const child = spawn(process.execPath, [main, 'stats', '--watch', '0.1', ...at, '--url', inject('postgresUrl')])
    const end = once(child, 'close')
    await once(child.stdout, 'data')
    await client.query(`begin; lock table ${schema}.entry in access exclusive mode`)
    await sleep(500)
    const started = performance.now()
    child.kill('SIGINT')
    expect(await end).toEqual([0, null])
    expect(performance.now() - started).toBeLessThan(2_000)
    await client.query('rollback')
    client.release()
  })

  it('refuses what does not go together, or will not do', async () => {
    for (const flags of [
      ['--watch', '--json'],
      ['--watch', '0'],
      ['--watch', 'soon'],
      ['--tenant', ''],
      ['--namespace', ''],
    ])
      expect((await pgstash(['stats', ...at, ...flags])).code).toBe(2)
  })
})

describe('pgstash cleanup and clear', () => {
  let tenant: string

  beforeEach(async () => {
    tenant = freshName()
    await fill(tenant)
  })

  it('says what a cleanup would remove, and then removes it', async () => {
    await new Sessions({ stash, tenant }).set('brief', { cookie: { maxAge: 1 } })
    const brief = new RateLimiter({ stash, tenant, name: 'brief', limit: 5, windowMs: 1 })
    await Promise.all([brief.consume('ada'), brief.consume('eve')])
    await sleep(20)
    const dry = documentOf<{ expired: number; cleared: number }>(
      await pgstash(['cleanup', '--dry-run', '--json', ...at]),
    )
    expect(dry).toMatchObject({ isDryRun: true, sessions: 1, rateLimits: 2 })
    expect(dry.expired).toBeGreaterThanOrEqual(8)
    const words = `${dry.expired - 3} expired entries, 1 session, 2 rate limits, ${dry.cleared} cleared`
    expect((await pgstash(['cleanup', '--dry-run', ...at])).stdout).toBe(`Would remove ${words}.\n`)
    expect(documentOf(await pgstash(['cleanup', '--json', ...at]))).toMatchObject({
      isDryRun: false,
      expired: dry.expired,
      sessions: 1,
      rateLimits: 2,
    })
    expect((await pgstash(['cleanup', ...at])).stdout).toMatch(
      /^Removed 0 expired entries, 0 sessions, 0 rate limits, 0 cleared in /,
    )
    expect(documentOf(await pgstash(['stats', '--json', ...at]))).toMatchObject({
      expired: 0,
      lastSweep: { removed: 0 },
    })
  })

  it('clears nothing without --yes, where nobody can be asked', async () => {
    const { code, stderr } = await pgstash(['clear', '--tenant', tenant, ...at])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--yes') })
    const dry = await pgstash(['clear', '--tenant', tenant, '--dry-run', ...at])
    expect(dry.stdout).toBe(`Would clear 22 live entries of tenant ${tenant}.\n`)
    expect((await stash.tenant(tenant).stats()).live).toBe(22)
  })

  it('clears a namespace, a version of it, and the tenant', async () => {
    const clear = (...flags: string[]) => pgstash(['clear', '--tenant', tenant, '--yes', '--json', ...at, ...flags])
    expect(documentOf(await clear('--namespace', 'views'))).toEqual({
      isDryRun: false,
      kind: 'entries',
      tenant,
      namespace: 'views',
      live: null,
    })
    const live = async () => (await stash.tenant(tenant).stats()).live
    expect(await live()).toBe(2)
    await clear('--namespace', 'views', '--namespace-version', '2')
    expect(await live()).toBe(1)
    expect((await pgstash(['clear', '--tenant', tenant, '--yes', ...at])).stdout).toBe(
      `Cleared all live entries of tenant ${tenant}.\n`,
    )
    expect((await stash.tenant(tenant).stats()).live).toBe(0)
  })

  it('clears what is stored under a tag, of a namespace and of the tenant', async () => {
    const clear = (...flags: string[]) => pgstash(['clear', '--tenant', 'tagged', '--json', ...at, ...flags])
    const cache = stash.tenant('tagged').namespace('pages')
    await cache.setMany([
      { key: 'a', value: 1, tags: ['x', 'y'] },
      { key: 'b', value: 1, tags: ['y'] },
      { key: 'c', value: 1, tags: ['x'], tagScope: 'tenant' },
    ])
    const ofNamespace = ['--namespace', 'pages', '--tag', 'x', 'none']
    expect(documentOf(await clear('--dry-run', ...ofNamespace))).toEqual({
      isDryRun: true,
      kind: 'entries',
      tenant: 'tagged',
      namespace: 'pages',
      tags: ['x', 'none'],
      live: 1,
    })
    expect(documentOf(await clear('--yes', ...ofNamespace))).toMatchObject({ isDryRun: false, live: null })
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, 1, 1])
    expect(documentOf(await clear('--dry-run', '--tag', 'x'))).toMatchObject({ namespace: null, live: 1 })
    await clear('--yes', '--tag', 'x')
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, 1, undefined])
    expect((await clear('--yes', '--tag', 'x', '--sessions')).code).toBe(2)
  })

  it('clears sessions and rate limits, and nothing else', async () => {
    const clear = (...flags: string[]) => pgstash(['clear', '--tenant', tenant, '--yes', '--json', ...at, ...flags])
    expect(documentOf(await clear('--sessions', '--dry-run'))).toMatchObject({ kind: 'sessions', live: 1 })
    expect(documentOf(await clear('--sessions'))).toMatchObject({ live: 1 })
    expect(documentOf(await clear('--rate-limits', '--namespace', 'search'))).toMatchObject({
      kind: 'rate-limits',
      live: 1,
    })
    expect(documentOf(await clear('--rate-limits'))).toMatchObject({ live: 1 })
    expect((await stash.tenant(tenant).stats()).live).toBe(22)
    expect(await new Sessions({ stash, tenant }).length()).toBe(0)
  })

  it('takes a limiter by its whole name', async () => {
    const consume = (name: string) => new RateLimiter({ stash, tenant, name, limit: 5, windowMs: 60_000 }).consume('a')
    for (const name of ['api', 'api/admin', 'api/gcra', 'apis']) await consume(name)
    await new LoginLimiter({ stash, tenant, name: 'api' }).begin({ username: 'ada', ip: '192.0.2.1' })
    const clear = ['clear', '--tenant', tenant, '--rate-limits', '--namespace', 'api', '--yes', '--json', ...at]
    expect(documentOf(await pgstash(clear))).toMatchObject({ live: 4 })
    const { rows } = await pool.query(
      `select namespace from ${schema}.counter where tenant = $1 and namespace like 'api%' order by 1`,
      [tenant],
    )
    expect(rows.map(({ namespace }) => namespace.replace(/\/[^/]+\/\d+$/, ''))).toEqual([
      'api/admin',
      'api/gcra',
      'apis',
    ])
  })

  it('refuses what does not go together', async () => {
    for (const flags of [
      [],
      ['--tenant', 'a', '--sessions', '--rate-limits'],
      ['--tenant', 'a', '--namespace-version', '2'],
      ['--tenant', ''],
    ])
      expect((await pgstash(['clear', '--yes', ...at, ...flags])).code).toBe(2)
  })
})

describe('pgstash test', () => {
  it('goes through every kind of store, and leaves nothing behind', async () => {
    const run = await pgstash(['test', '--json', ...at])
    expect(run.code).toBe(0)
    const { isOk, tenant, steps } = documentOf<{
      isOk: boolean
      tenant: string
      steps: { store: string; isOk: boolean; problem?: string }[]
    }>(run)
    expect(steps.filter((step) => !step.isOk)).toEqual([])
    expect(isOk).toBe(true)
    expect(new Set(steps.map(({ store }) => store))).toEqual(
      new Set(['entries', 'sessions', 'rate limits', 'logins', 'rows']),
    )
    expect(await rowsOf(tenant)).toBe(0)
    expect((await pgstash(['test', ...at])).stdout).toContain('All is well, and nothing is left behind.')
  })

  it('cleans up when it is interrupted', async () => {
    const child = spawn(process.execPath, [main, 'test', ...at, '--url', inject('postgresUrl')])
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk
    })
    const end = once(child, 'close')
    const ofTest = () => pool.query(`select 1 from ${schema}.entry where tenant like 'pgstash_test_%'`)
    while ((await ofTest()).rows.length === 0) await sleep(5)
    child.kill('SIGINT')
    expect(await end).toEqual([1, null])
    expect(stderr).toBe('ERR_PGSTASH_STOPPED: before the end. Nothing of it is left.\n')
    expect((await ofTest()).rows).toEqual([])
  })

  it('finds what is wrong', async () => {
    await pool.query(
      `create function ${schema}.forgetful() returns trigger language plpgsql as 'begin new.value := ''"x"''; return new; end'`,
    )
    await pool.query(
      `create trigger forgetful before insert or update on ${schema}.entry for each row execute function ${schema}.forgetful()`,
    )
    const run = await pgstash(['test', ...at])
    await pool.query(`drop function ${schema}.forgetful cascade`)
    expect(run.code).toBe(1)
    expect(run.stdout).toMatch(/^FAIL +entries +set and get/m)
    expect((await pool.query(`select 1 from ${schema}.entry where tenant like 'pgstash_test_%'`)).rows).toEqual([])
  })
})

describe('pgstash demo', () => {
  const schemas = async () => (await pool.query(`select 1 from pg_namespace where nspname like 'pgstash_demo_%'`)).rows

  it('tells its story on a database, and drops its schema', async () => {
    const { code, stdout, stderr } = await pgstash(['demo', '--url', inject('postgresUrl')])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^pgstash on PostgreSQL\n[\s\S]*5 of 8 allowed[\s\S]*Nothing of it is left\.\n$/)
    expect(await schemas()).toEqual([])
  })

  it('tells it on PGlite', async () => {
    const run = await pgstash(['demo', '--json'])
    expect(documentOf(run)).toMatchObject({ database: 'PGlite: PostgreSQL in this process', steps: expect.any(Array) })
  })

  it('drops its schema when it is interrupted, too', async () => {
    const { code } = await pgstash(['demo', '--url', inject('postgresUrl')], { interruptOn: 'set 5,000' })
    expect([0, 1]).toContain(code)
    expect(await schemas()).toEqual([])
  })
})
