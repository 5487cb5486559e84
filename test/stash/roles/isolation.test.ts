import pg from 'pg'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import { resolveOptions } from '../../../src/stash/options/resolved'
import type { PgStashOptions } from '../../../src/stash/options/told'
import { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { describeBodies, freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { IsolatedSchema } from '../../support/schemas/isolated'
import { hasPgBouncer, PgBouncer } from '../../support/servers/pgbouncer'

const url = inject('postgresUrl')

/** Before PostgreSQL 15 a view looks as its owner does, past the policies, so an application may not ask it. */
const hasView = inject('postgresMajor') >= 15
const tables = ['entry', 'namespace', 'session', 'counter', 'tag', ...(hasView ? ['live_entry'] : [])]

describe('row-level security, seen by the app role in plain SQL', () => {
  let isolated: IsolatedSchema
  let client: pg.Client
  const rows = async (text: string) => (await client.query({ text, rowMode: 'array' })).rows

  beforeAll(async () => {
    isolated = await IsolatedSchema.make(url)
    const stash = isolated.open()
    for (const tenant of ['a', 'b']) {
      await stash.tenant(tenant).namespace('n').set('k', tenant)
      await stash
        .tenant(tenant)
        .namespace('n')
        .set('tagged', tenant, { tags: ['t'] })
      await stash.tenant(tenant).namespace('cleared').clear()
      await new Sessions({ stash, tenant }).set('s', { n: 1 })
      await new RateLimiter({ stash, tenant, limit: 5, windowMs: 60_000 }).consume('k')
    }
    client = new pg.Client(isolated.urlOf(isolated.app))
    await client.connect()
    await client.query(`set search_path = ${isolated.schema}`)
    return async () => {
      await client.end()
      await isolated.drop()
    }
  })

  it('shows no row of any table where no tenant is set', async () => {
    for (const table of tables) {
      expect(await rows(`select count(*)::int from ${table}`)).toEqual([[0]])
    }
  })

  it('shows a tenant its own rows', async () => {
    await client.query('begin')
    await client.query(`select set_config('pgstash.tenant', 'a', true)`)
    for (const table of tables) {
      expect(await rows(`select distinct tenant from ${table}`)).toEqual([['a']])
    }
    await client.query('commit')
  })

  it.skipIf(hasView)('lets nobody ask a view that looks past the policies', async () => {
    await expect(rows('select tenant from live_entry')).rejects.toMatchObject({ code: '42501' })
  })

  it('refuses to write into those of another', async () => {
    const asA = async (text: string) => {
      await client.query('begin')
      await client.query(`select set_config('pgstash.tenant', 'a', true)`)
      return client.query(text).finally(() => client.query('rollback'))
    }
    const insert = `insert into entry (tenant, namespace, key, generation, version, format, written_at, value)
      values ('b', 'n', 'new', 0, 1, 't', 0, 'x')`
    await expect(asA(insert)).rejects.toMatchObject({ code: '42501' })
    await expect(asA(`insert into namespace values ('b', 'n', 7)`)).rejects.toMatchObject({ code: '42501' })
    await expect(
      asA(
        `insert into session (tenant, namespace, id, version, expires_at, written_at, data) values ('b', 'n', 's', 1, 1, 1, '{}')`,
      ),
    ).rejects.toMatchObject({ code: '42501' })
    await expect(
      asA(
        `insert into counter (tenant, namespace, key, hits, reset_at, counted_at, expires_at) values ('b', 'n', 'k', 1, 1, 1, 1)`,
      ),
    ).rejects.toMatchObject({ code: '42501' })
    await expect(asA(`update session set tenant = 'b'`)).rejects.toMatchObject({ code: '42501' })
    expect((await asA(`delete from session where tenant = 'b'`)).rowCount).toBe(0)
    expect((await asA(`delete from counter where tenant = 'b'`)).rowCount).toBe(0)
    await expect(asA(`update entry set tenant = 'b'`)).rejects.toMatchObject({ code: '42501' })
    expect((await asA(`update entry set value = 'x' where tenant = 'b'`)).rowCount).toBe(0)
    expect((await asA(`delete from entry where tenant = 'b'`)).rowCount).toBe(0)
  })

  it('forgets the tenant with the transaction', async () => {
    await client.query('begin')
    await client.query(`select set_config('pgstash.tenant', 'a', true)`)
    await client.query('commit')
    expect(await rows(`select current_setting('pgstash.tenant')`)).toEqual([['']])
    expect(await rows('select count(*)::int from entry')).toEqual([[0]])
    // And what '' is not: a tenant.
    await client.query('begin')
    await client.query(`select set_config('pgstash.tenant', '', true)`)
    expect(await rows('select count(*)::int from entry')).toEqual([[0]])
    await client.query('commit')
  })

  it('gives no right to read the functions past the policies', async () => {
    const [row] = await rows(`select count(*)::int from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = '${isolated.schema}' and p.prosecdef`)
    expect(row).toEqual([0])
  })
})

describe('a stash under row-level security', () => {
  let isolated: IsolatedSchema

  beforeAll(async () => {
    isolated = await IsolatedSchema.make(url)
    return () => isolated.drop()
  })

  it('refuses a superuser, an owner, a member of the owner and a BYPASSRLS role, each with the next step', async () => {
    const { schema } = isolated
    const bypass = `${schema}_bypass`
    const member = `${schema}_member`
    const distant = `${schema}_distant`
    await isolated.admin(`create role ${bypass} login bypassrls; create role ${member} login in role ${isolated.owner}`)
    // It has the owner's rights as soon as it says "set role".
    await isolated.admin(`create role ${distant} login noinherit in role ${isolated.owner}`)
    await isolated.admin(
      `grant usage on schema ${schema} to ${distant}; grant select on ${schema}.migration to ${distant}`,
    )
    const cases = [
      ['superuser', url],
      ['owner', isolated.urlOf(isolated.owner)],
      ['owner', isolated.urlOf(member)],
      ['owner', isolated.urlOf(distant)],
      ['bypassrls', isolated.urlOf(bypass)],
    ] as const
    await isolated.admin(
      `grant usage on schema ${schema} to ${bypass}; grant select on ${schema}.migration to ${bypass}`,
    )
    for (const [reason, connectionString] of cases) {
      const stash = isolated.open({ connectionString })
      const error = await stash.ready().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_PGSTASH_UNSAFE_ROLE', reason })
      expect((error as Error).message).toContain('create role app login')
      await expect(stash.namespace('n').get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_UNSAFE_ROLE' })
      await stash.close()
    }
    const owner = isolated.open({ maintenance: isolated.urlOf(isolated.owner) })
    for (const [, connectionString] of cases) {
      const role = new URL(connectionString).username
      await expect(owner.grantTo(role)).rejects.toThrow(/row-level security would not hold/)
    }
    await expect(owner.grantTo('nobody at all')).rejects.toThrow(/there is no role/)
    await isolated.admin(
      `drop owned by ${bypass}, ${distant}; drop role ${bypass}; drop role ${member}; drop role ${distant}`,
    )
  })

  it('refuses tables on which it is not forced', async () => {
    const schema = freshSchema()
    const owner = new PgStash({ connectionString: url, schema })
    await owner.ready()
    await owner.grantTo(isolated.app)
    const stash = isolated.open({ schema })
    await expect(stash.ready()).rejects.toMatchObject({ code: 'ERR_PGSTASH_UNSAFE_ROLE', reason: 'not-forced' })
    await owner.close()
    await isolated.admin(`drop schema ${schema} cascade`)
  })

  it('takes the schema to row-level security where it was made without', async () => {
    const schema = freshSchema()
    const before = new PgStash({ connectionString: url, schema })
    await before.tenant('a').namespace('n').set('k', 1)
    await before.close()
    const stash = isolated.open({ schema, maintenance: url })
    await stash.migrate()
    await stash.grantTo(isolated.app)
    expect(await stash.tenant('a').namespace('n').get('k')).toBe(1)
    expect(await stash.tenant('b').namespace('n').get('k')).toBeUndefined()
    await stash.close()
    await isolated.admin(`drop schema ${schema} cascade`)
  })

  it('refuses a role that sees nothing where all tenants are to be seen', async () => {
    const app = isolated.urlOf(isolated.app)
    const wrong = isolated.open({ maintenance: app, migrate: false })
    const refusal = { code: 'ERR_PGSTASH_UNSAFE_ROLE', reason: 'isolated' }
    await expect(wrong.sweep()).rejects.toMatchObject(refusal)
    await expect(wrong.stats()).rejects.toMatchObject(refusal)
    const forgetful = isolated.open({ isolation: 'column', migrate: false })
    await expect(forgetful.namespace('n').get('k')).rejects.toMatchObject(refusal)
    await expect(isolated.open({ maintenance: app }).grantTo(isolated.app)).rejects.toMatchObject({
      code: 'ERR_PGSTASH_PRIVILEGE',
    })
  })

  it('keeps the policy of the owner when a superuser enforces it again', async () => {
    await isolated.admin(`select ${isolated.schema}.enforce_row_level_security()`)
    const maintained = isolated.open({ maintenance: isolated.urlOf(isolated.owner) })
    await maintained.tenant('policy').namespace('n').set('k', 1)
    expect((await maintained.stats()).namespaces).toContainEqual(expect.objectContaining({ tenant: 'policy', live: 1 }))
  })

  it('sweeps again after its schema was dropped and made anew', async () => {
    const schema = freshSchema()
    const stash = isolated.open({ schema, isolation: 'column', connectionString: url, maintenance: url })
    await stash.sweep()
    await isolated.admin(`drop schema ${schema} cascade`)
    await stash.sweep().catch(() => {})
    expect(await stash.sweep()).toMatchObject({ expired: 0 })
    await stash.close()
    await isolated.admin(`drop schema ${schema} cascade`)
  })

  it('leaves what looks at all tenants to the owner', async () => {
    const stash = isolated.open()
    for (const call of [() => stash.sweep(), () => stash.stats(), () => stash.migrate()]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_PGSTASH_MAINTENANCE_REQUIRED' })
    }
    const maintained = isolated.open({ maintenance: { connectionString: isolated.urlOf(isolated.owner) } })
    const cache = maintained.tenant('swept').namespace('n')
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key })))
    await cache.clear()
    await cache.set('d', 'd')
    expect((await maintained.stats()).namespaces).toContainEqual(
      expect.objectContaining({ tenant: 'swept', live: 1, cleared: 3 }),
    )
    expect((await maintained.sweep()).cleared).toBe(3)
    expect(await cache.get('d')).toBe('d')
  })

  it('keeps interleaved tenants apart, more of them than it remembers', { timeout: 60_000 }, async () => {
    const stash = isolated.open()
    const tenants = Array.from({ length: 1_100 }, (_, at) => `tenant-${at}`)
    await Promise.all(tenants.map((tenant) => stash.tenant(tenant).namespace('n').set('k', tenant)))
    const found = await Promise.all(tenants.map((tenant) => stash.tenant(tenant).namespace('n').get('k')))
    expect(found).toEqual(tenants)
  })

  it('works on a pool that takes no submittables', async () => {
    const own = new pg.Pool({ connectionString: isolated.urlOf(isolated.app) })
    const pool = { query: (config: object) => own.query(config as pg.QueryConfig), connect: () => own.connect() }
    const stash = isolated.open({ connectionString: undefined, pool: pool as PgStashOptions['pool'] })
    await stash.tenant('plain').namespace('n').set('k', 1)
    expect(await stash.tenant('plain').namespace('n').get('k')).toBe(1)
    expect(await stash.tenant('other').namespace('n').get('k')).toBeUndefined()
    await stash.close()
    await own.end()
  })

  it('is refused as an option that is neither', () => {
    expect(() => resolveOptions({ isolation: 'none' as 'rls' })).toThrow(/isolation must be one of column, rls/)
    expect(() => resolveOptions({ maintenance: 5 as never })).toThrow(/maintenance must be/)
  })
})

describeBodies('tenants under row-level security', (body) => {
  it('see no other, by any verb', async () => {
    const stash = await body.openIsolated()
    const [a, b] = ['a', 'b'].map((tenant) => stash.tenant(tenant).namespace('n')) as [Cache, Cache]
    await a.setMany(['k', 'k2'].map((key) => ({ key, value: 'of a' })))
    expect(await b.get('k')).toBeUndefined()
    expect(await b.getEntry('k')).toBeUndefined()
    expect(await b.getMany(['k', 'k2'])).toEqual([undefined, undefined])
    expect(await b.hasMany(['k', 'k2'])).toEqual([false, false])
    expect(await b.ttl('k')).toBeUndefined()
    expect(await b.touch('k', 5)).toBe(false)
    expect(await b.take('k')).toBeUndefined()
    expect(await b.deleteMany(['k', 'k2'])).toEqual([false, false])
    expect(await b.deleteByPrefix('k')).toBe(0)
    expect(await b.add('k', 'of b')).toBe(true)
    expect(await b.increment('n')).toBe(1)
    await stash.tenant('b').clear()
    const keys: string[] = []
    for await (const key of a.keys()) keys.push(key)
    expect(keys).toEqual(['k', 'k2'])
    expect(await a.getMany(['k', 'k2', 'n'])).toEqual(['of a', 'of a', undefined])
  })
})

describe.runIf(hasPgBouncer)('row-level security behind PgBouncer in transaction mode', () => {
  const least = { reads: rounds({ shallow: 10_000, deep: 100_000 }), ms: rounds({ shallow: 1_000, deep: 10_000 }) }

  it(`shows no foreign row in ${least.reads} reads of 8 clients and 4 tenants`, { timeout: 120_000 }, async () => {
    const isolated = await IsolatedSchema.make(url)
    const bouncer = await PgBouncer.before(url, isolated.app)
    const tenants = ['a', 'b', 'c', 'd']
    const stashes = Array.from({ length: 8 }, () => isolated.open({ connectionString: bouncer.url, max: 2 }))
    const until = performance.now() + least.ms
    let reads = 0
    const foreign: unknown[] = []
    const hammer = async (stash: PgStash, at: number) => {
      const tenant = tenants[at % tenants.length] as string
      const cache = stash.tenant(tenant).namespace('n')
      await cache.setMany(Array.from({ length: 50 }, (_, key) => ({ key: `k${key}`, value: `${tenant}:${key}` })))
      while (performance.now() < until || reads < least.reads) {
        const keys = Array.from({ length: 10 }, () => `k${Math.floor(Math.random() * 50)}`)
        const found = [...(await cache.getMany(keys)), await cache.get(keys[0] as string)]
        reads += found.length
        foreign.push(...found.filter((value) => !String(value).startsWith(`${tenant}:`)))
        if (Math.random() < 0.1) await cache.set(keys[1] as string, `${tenant}:again`)
      }
    }
    try {
      await Promise.all(stashes.flatMap((stash) => tenants.map((_, at) => hammer(stash, at))))
    } finally {
      await Promise.all(stashes.map((stash) => stash.close()))
      await bouncer.stop()
      await isolated.drop()
    }
    expect(reads).toBeGreaterThanOrEqual(least.reads)
    expect(foreign).toEqual([])
  })
})
