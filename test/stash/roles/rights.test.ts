import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import type { UnsafeRoleError } from '../../../src/errors'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../../src/stash/pg-stash'
import { printSchema } from '../../../src/stash/schema-script'
import { Sessions } from '../../../src/stash/sessions/store'
import { rounds } from '../../support/depth'
import { IsolatedSchema } from '../../support/schemas/isolated'

const url = inject('postgresUrl')

let isolated: IsolatedSchema
let owner: PgStash
let group: string
let distant: string
let superuser: string

beforeAll(async () => {
  isolated = await IsolatedSchema.make(url)
  owner = isolated.openOwner()
  group = await isolated.role('group', '')
  distant = await isolated.role('distant', '')
  superuser = await isolated.role('super', 'superuser')
})

afterAll(() => isolated.drop())

/** The files of SQL say `S` for the schema, `APP` and `OWNER` for the roles. */
const spelt = (text: string) =>
  text
    .replaceAll('GROUP', group)
    .replaceAll('DISTANT', distant)
    .replaceAll('SUPER', superuser)
    .replaceAll('OWNER', isolated.owner)
    .replaceAll('APP', isolated.app)
    .replaceAll('S.', `${isolated.schema}.`)
    .replaceAll('SCHEMA_', isolated.schema)

const statusOf = async (stash: PgStash, name: string) =>
  (await stash.doctor()).checks.find((check) => check.name === name)

async function refusalOf(): Promise<UnsafeRoleError | undefined> {
  const stash = isolated.open()
  const refusal = await stash.ready().then(
    () => undefined,
    (error: UnsafeRoleError) => error,
  )
  await stash.close()
  return refusal
}

/** How the role gets it, what is told of it, and what a grant by the owner makes of it. */
const tooMuch: readonly [given: string, told: string | RegExp, isRevoked: 'by a grant' | 'by the cure'][] = [
  ['grant truncate on S.entry to APP', 'truncate on entry', 'by a grant'],
  ['grant references, trigger on S.session to APP', 'references, trigger on session', 'by a grant'],
  ['grant maintain on S.counter to APP', 'maintain on counter', 'by a grant'],
  ['grant delete on S.namespace to APP', 'delete on namespace', 'by a grant'],
  ['grant insert, update on S.migration to APP', 'insert, update on migration', 'by a grant'],
  ['grant update on S.sweep to APP', 'update on sweep', 'by a grant'],
  ['grant update on sequence S.version to APP', 'update on version', 'by a grant'],
  ['grant update (id) on S.migration to APP', 'update (id) on migration', 'by a grant'],
  ['grant insert on S.live_entry to APP', 'insert on live_entry', 'by a grant'],
  ['grant create on schema SCHEMA_ to APP', /^create on the schema /, 'by a grant'],
  ['grant select on S.entry to APP with grant option', 'select with grant option on entry', 'by a grant'],
  ['grant truncate on S.entry to public', 'truncate on entry through PUBLIC', 'by the cure'],
  ['grant create on schema SCHEMA_ to public', /^create on the schema .* through PUBLIC$/, 'by the cure'],
  ['grant update on sequence S.version to public', 'update on version through PUBLIC', 'by the cure'],
  ['grant truncate on S.entry to GROUP; grant GROUP to APP', /^truncate on entry through .*_group$/, 'by the cure'],
  [
    'grant truncate on S.counter to DISTANT; grant DISTANT to APP with inherit false',
    /^truncate on counter through .*_distant$/,
    'by the cure',
  ],
  [
    'grant usage on schema SCHEMA_ to GROUP; grant references on S.entry to GROUP with grant option; set role GROUP; grant references on S.entry to APP; reset role',
    'references on entry',
    'by the cure',
  ],
  ['grant SUPER to APP', /^it is a member of .*_super, which has superuser$/, 'by the cure'],
  ['grant pg_write_all_data to APP', 'it is a member of pg_write_all_data', 'by the cure'],
  ['grant pg_maintain to APP', 'it is a member of pg_maintain', 'by the cure'],
  ['grant pg_execute_server_program to APP with inherit false', /pg_execute_server_program/, 'by the cure'],
  ['alter role APP replication', /^it has REPLICATION/, 'by the cure'],
  ['alter schema SCHEMA_ owner to APP', /^it owns the schema /, 'by the cure'],
  [
    'alter function S.sweep_sessions(bigint, bigint) owner to GROUP; grant GROUP to APP',
    /_group, which owns sweep_sessions/,
    'by the cure',
  ],
  ['alter function S.sweep_counters(bigint, bigint) owner to APP', 'it owns sweep_counters()', 'by the cure'],
  ['alter view S.live_entry owner to APP', 'it owns live_entry', 'by the cure'],
  ['create policy leak on S.entry using (true)', /^the policy leak on entry/, 'by the cure'],
  [
    "create function S.spy() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as 'begin return new; end'; alter function S.spy() owner to APP; create trigger spy before delete on S.entry for each row execute function S.spy()",
    /^the trigger spy on entry/,
    'by the cure',
  ],
]

describe('a right that row-level security does not stop', () => {
  beforeEach(async () => {
    // What the cases before have left.
    await isolated.admin(spelt('revoke GROUP, DISTANT from APP; drop function if exists S.spy() cascade'))
    await isolated.admin(
      spelt(
        'alter schema SCHEMA_ owner to OWNER; alter view S.live_entry owner to OWNER; revoke all on S.entry from GROUP cascade',
      ),
    )
    await owner.grantTo(isolated.app)
  })

  // Since which version it can be given.
  const since = (given: string) => (/maintain/.test(given) ? 17 : / with inherit /.test(given) ? 16 : 14)
  const givable = tooMuch.filter(([given]) => inject('postgresMajor') >= since(given))

  it.each(givable)('is refused: %s', async (given, told, isRevoked) => {
    await isolated.admin(spelt(given))
    const refusal = await refusalOf()
    expect(refusal).toMatchObject({ code: 'ERR_PGSTASH_UNSAFE_ROLE', reason: 'rights' })
    expect(refusal?.excess.map((right) => right.told)).toContainEqual(
      typeof told === 'string' ? told : expect.stringMatching(told),
    )
    expect(await statusOf(isolated.open(), 'role')).toMatchObject({ status: 'fail' })
    const granted = await owner.grantTo(isolated.app).catch(() => ['not the owner any more'])
    if (isRevoked === 'by a grant') expect(granted).toEqual([])
    else {
      expect(granted).not.toEqual([])
      // Typed as they stand.
      for (const { cure } of refusal?.excess ?? []) await isolated.admin(cure)
      // Who owned the schema had no grant on it.
      expect(await owner.grantTo(isolated.app)).toEqual([])
    }
    expect(await refusalOf()).toBeUndefined()
  })

  it('is a warning of doctor, and no refusal, where tenants are kept apart by a column', async () => {
    const column = await IsolatedSchema.empty(url)
    await column.open({ connectionString: column.urlOf(column.owner), isolation: 'column' }).ready()
    await column.admin(`grant all on all tables in schema ${column.schema} to ${column.app}`)
    await column.admin(`grant usage on schema ${column.schema} to ${column.app}`)
    await column.admin(`grant usage on sequence ${column.schema}.version to ${column.app}`)
    const stash = column.open({ isolation: 'column' })
    await stash.ready()
    expect(await statusOf(stash, 'role')).toMatchObject({ status: 'warn', detail: expect.stringContaining('truncate') })
    await column.drop()
  })
})

describe('reading what is of nobody', () => {
  it('is no right too many: default privileges give it', async () => {
    await isolated.admin(`grant select on all tables in schema ${isolated.schema} to ${isolated.app}`)
    await isolated.admin(`grant select on all sequences in schema ${isolated.schema} to ${isolated.app}`)
    await isolated.admin(`grant pg_read_all_data to ${isolated.app}`)
    const excess = (await refusalOf())?.excess.map(({ told }) => told)
    // Before PostgreSQL 15 the view shows what its owner sees: the rows of all tenants.
    expect(excess).toEqual(inject('postgresMajor') >= 15 ? undefined : ['select on live_entry'])
    await isolated.admin(`revoke pg_read_all_data from ${isolated.app}`)
  })
})

describe('the list of what an application needs', () => {
  it('names every table, view, sequence and function of the schema', async () => {
    const listed = (await isolated.admin(`select id::int from ${isolated.schema}.app_rights()`)).flat()
    const present = await isolated.admin(
      `select oid::int from pg_class where relnamespace = '${isolated.schema}'::regnamespace and relkind in ('r', 'v', 'S', 'p', 'm')
       union all select oid::int from pg_proc where pronamespace = '${isolated.schema}'::regnamespace`,
    )
    expect(present.flat().filter((id) => !listed.includes(id))).toEqual([])
  })
})

/** Every verb that a role of an application calls: entries, sessions, limits. */
async function everyday(stash: PgStash): Promise<void> {
  const cache = stash.tenant('a').namespace('n')
  await cache.set('k', 1)
  expect(await cache.get('k')).toBe(1)
  await cache.setMany([
    { key: 'a', value: 'a' },
    { key: 'b', value: 'b' },
  ])
  expect(await cache.getMany(['a', 'b'])).toEqual(['a', 'b'])
  expect(await cache.getEntry('a')).toMatchObject({ value: 'a' })
  expect(await cache.ttl('a')).toBeNull()
  expect(await cache.add('c', 1)).toBe(true)
  expect(await cache.increment('c', 2)).toBe(3)
  expect(await cache.touch('c', 60_000)).toBe(true)
  expect(await cache.take('c')).toBe(3)
  expect(await cache.delete('a')).toBe(true)
  const keys: string[] = []
  for await (const key of cache.keys()) keys.push(key)
  expect(keys).toEqual(['b', 'k'])
  expect(await cache.deleteByPrefix('b')).toBe(1)
  await cache.clear()
  expect(await cache.get('k')).toBeUndefined()
  const sessions = new Sessions({ stash, tenant: 'a', userId: ({ user }) => user as string })
  await sessions.set('s', { user: 'ada' })
  await sessions.touch('s', {})
  expect((await sessions.listByUser('ada')).map(({ id }) => id)).toEqual(['s'])
  expect(await sessions.destroyByUser('ada')).toBe(1)
  for (const algorithm of ['fixed-window', 'sliding-window', 'gcra'] as const) {
    const limiter = new RateLimiter({ stash, tenant: 'a', name: algorithm, limit: 2, windowMs: 60_000, algorithm })
    expect((await limiter.consume('k')).isAllowed).toBe(true)
    await limiter.reset('k')
  }
}

/** What a database's default privileges, or its hardening, make of new objects; by the owner, before the schema is made. */
const defaults: readonly [name: string, before: string, after: string][] = [
  ['as they come', '', ''],
  [
    'generous to the application',
    'alter default privileges for role OWNER grant all on tables to APP; alter default privileges for role OWNER grant all on sequences to APP; alter default privileges for role OWNER grant all on functions to APP',
    'grant all on schema SCHEMA_ to APP',
  ],
  [
    'hardened from the start',
    'alter default privileges for role OWNER revoke execute on functions from public; alter default privileges for role OWNER revoke usage on types from public',
    '',
  ],
  [
    'hardened afterwards',
    '',
    'revoke execute on all functions in schema SCHEMA_ from public; revoke execute on all procedures in schema SCHEMA_ from public; revoke all on schema SCHEMA_ from public',
  ],
]

describe('default privileges', () => {
  it.each(
    defaults.flatMap(([name, before, after]) =>
      (['rls', 'column'] as const).map((how) => [name, how, before, after] as const),
    ),
  )(
    '%s, %s: migrate grants what every verb needs, doctor says so, the start agrees',
    async (_, isolation, before, after) => {
      const made = await IsolatedSchema.empty(url)
      const at = (text: string) =>
        text.replaceAll('OWNER', made.owner).replaceAll('APP', made.app).replaceAll('SCHEMA_', made.schema)
      if (before !== '') await made.admin(at(before))
      const maintained = made.openOwner({ isolation })
      await maintained.migrate()
      expect(await maintained.grantTo(made.app)).toEqual([])
      if (after !== '') await made.admin(at(after))
      // Once more, as whoever follows the advice of an error would.
      expect(await maintained.grantTo(made.app)).toEqual([])
      const stash = made.open({ isolation, migrate: false })
      await stash.ready()
      expect(await statusOf(stash, 'role')).toMatchObject({ status: 'ok' })
      expect(await statusOf(stash, 'isolation')).toMatchObject({ status: 'ok' })
      await everyday(stash)
      if (isolation === 'column') expect(await stash.sweep()).toMatchObject({ expired: 0 })
      await made.drop()
    },
  )

  it('hardened, give what later migrations add to the roles that were granted before', async () => {
    const made = await IsolatedSchema.make(url)
    await made.admin(
      `create function ${made.schema}.later() returns int language sql set search_path = pg_catalog as 'select 1'`,
    )
    await made.admin(
      `alter function ${made.schema}.later() owner to ${made.owner}; revoke execute on function ${made.schema}.later() from public`,
    )
    await made.admin(`select ${made.schema}.settle_roles()`)
    expect(
      await made.admin(`select has_function_privilege('${made.app}', '${made.schema}.later()', 'execute')`),
    ).toEqual([[true]])
    await made.drop()
  })
})

describe('a role that lacks rights', () => {
  it('is told by doctor which, and by a running call what to run, which helps', async () => {
    const made = await IsolatedSchema.make(url)
    const stash = made.open()
    await stash.namespace('n').set('k', 1)
    await made.admin(`revoke execute on all functions in schema ${made.schema} from public, ${made.app}`)
    await expect(stash.namespace('n').getEntry('k')).rejects.toMatchObject({
      code: 'ERR_PGSTASH_PRIVILEGE',
      message: expect.stringContaining('--app-role'),
    })
    expect(await statusOf(stash, 'role')).toMatchObject({ status: 'fail', detail: expect.stringContaining('execute') })
    await made.openOwner().grantTo(made.app)
    expect(await stash.namespace('n').getEntry('k')).toMatchObject({ value: 1 })
    await made.drop()
  })
})

it.each(['namespace', 'entry, session, counter, namespace'])(
  'the role of an application, which may not delete from namespace, starts after a truncate of %s and makes the files large again',
  async (tables) => {
    const made = await IsolatedSchema.empty(url)
    const asOwner = made.open({ isolation: 'column', connectionString: made.urlOf(made.owner), sweeper: false })
    await asOwner.migrate()
    await asOwner.grantTo(made.app)
    await made.admin(`truncate ${tables.replaceAll(/\w+/g, `${made.schema}.$&`)}`)
    expect(await statusOf(asOwner, 'files')).toMatchObject({ status: 'warn' })
    // One start for the tables up to namespace, one for those after it.
    for (let start = 0; start < 2; start += 1) {
      const app = made.open({ isolation: 'column', sweeper: false })
      await app.namespace('n').set('k', 1)
      expect(await app.namespace('n').get('k')).toBe(1)
      await app.close()
    }
    expect(await statusOf(asOwner, 'files')).toMatchObject({ status: 'ok' })
    await made.drop()
  },
)

describe('grants and migrations at once', () => {
  const each = rounds({ shallow: 5, deep: 15 })

  // The second waits out a time limit of seconds, and needs nobody for it.
  it.concurrent(`of eight processes, ${each} each, all succeed, and so they do beside grants by hand`, {
    timeout: 120_000,
  }, async () => {
    const made = await IsolatedSchema.make(url)
    const roles = [made.app, await made.role('second')]
    const stashes = Array.from({ length: 8 }, () => made.openOwner())
    let isOver = false
    const byHand = (async () => {
      while (!isOver) {
        await made.admin(`grant select on ${made.schema}.entry to public`).catch(() => {})
        await made.admin(`revoke select on ${made.schema}.entry from public`).catch(() => {})
      }
    })()
    const grants = stashes.flatMap((stash, at) =>
      Array.from({ length: each }, async (_, round) => {
        // So that there is something to grant.
        if (round % 5 === 0)
          await made.admin(`revoke all on ${made.schema}.session from ${roles[at % 2]}`).catch(() => {})
        return stash.grantTo(roles[at % 2] as string)
      }),
    )
    const settled = await Promise.allSettled(grants)
    isOver = true
    await byHand
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(8 * each)
    await made.drop()
  })

  it.concurrent('say who is in the way: its pid, age, application and state', async () => {
    const made = await IsolatedSchema.empty(url)
    const column = made.openOwner({ isolation: 'column' })
    await column.migrate()
    const client = await holdEntries(made)
    const refusal = await made
      .openOwner()
      .migrate()
      .catch((error: unknown) => error)
    const pid = client.processID
    await client.end()
    expect(refusal).toMatchObject({
      code: 'ERR_PGSTASH_SCHEMA_LOCKED',
      holders: [{ pid, application: 'a long report' }],
      message: expect.stringContaining(`pg_terminate_backend(${pid})`),
    })
    await made.openOwner().migrate()
    await made.drop()
  })

  it('take the lock in printed scripts, too', () => {
    expect(printSchema({ schema: 'other', from: 9 })).toContain(
      "pg_advisory_xact_lock(pg_catalog.hashtextextended('pgstash:' || 'other', 0))",
    )
  })
})

/** Somebody who reads, and does not end his transaction. */
async function holdEntries(made: IsolatedSchema) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: made.urlOf(made.owner), application_name: 'a long report' })
  await client.connect()
  await client.query('begin')
  await client.query(`select count(*) from ${made.schema}.entry`)
  return client as typeof client & { processID: number }
}
