import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Isolation } from '../../../src/postgres/schema/migrator'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import { printSchema } from '../../../src/stash/schema-script'
import { Sessions } from '../../../src/stash/sessions/store'
import { type Body, describePostgres, freshSchema, urlAs } from '../../support/bodies'
import { describeSchema } from '../../support/schemas/description'

const early = readFileSync(new URL('../../fixtures/schema-of-migration-8.sql', import.meta.url), 'utf8')

/** What an application had stored. */
const data = `
  insert into "pgstash".entry (tenant, namespace, key, generation, version, format, written_at, value) values ('default', 'n', 'k', 0, 64, 'j', 0, '{"a":1}');
  insert into "pgstash".session (tenant, namespace, id, user_id, version, expires_at, written_at, data)
    values ('default', 'sess', 's', 'ada', 64, 99999999999999, 0, '{"n":1}');
  insert into "pgstash".counter (tenant, namespace, key, hits, reset_at, counted_at, expires_at)
    values ('default', 'api/fixed-window/3600000', 'ip', 2, 99999999999999, 0, 99999999999999);`

/** A schema as it was made once, with data, and with an application's role that was given what it needed then. */
async function earlySchema(body: Body, schema: string, role: string, isolation: Isolation): Promise<void> {
  await body.script(`${early}${data}`.replaceAll('"pgstash"', `"${schema}"`))
  if (isolation === 'rls') await body.sql(`select ${schema}.enforce_row_level_security()`)
  await body.sql(`select ${schema}.grant_app_role('${role}')`)
}

describePostgres('a database that was made when migration 8 was the last', (body) => {
  const { connectionString } = body.connection() as { connectionString: string }

  const withSchemas = async (run: (made: string, upgraded: string, role: string) => Promise<void>) => {
    const [made, upgraded, role] = [freshSchema(), freshSchema(), `${freshSchema()}_app`]
    await body.sql(`create role ${role} login`)
    await run(made, upgraded, role)
    await body.script(`drop schema ${made} cascade; drop schema ${upgraded} cascade; drop role ${role}`)
  }

  it.each(['column', 'rls'] as const)(
    'ends as one that is made today, %s: functions, settings, policies, rights, columns',
    (isolation) =>
      withSchemas(async (made, upgraded, role) => {
        await earlySchema(body, upgraded, role, isolation)
        const owner = { isolation, maintenance: connectionString }
        await body.open({ schema: upgraded, ...owner }).migrate()
        const fresh = body.open({ schema: made, ...owner })
        await fresh.migrate()
        await fresh.grantTo(role)
        expect(await describeSchema(body.sql, upgraded)).toEqual(await describeSchema(body.sql, made))
      }),
  )

  it('ends so by the printed script as well', () =>
    withSchemas(async (made, upgraded, role) => {
      await earlySchema(body, upgraded, role, 'rls')
      await body.script(printSchema({ schema: upgraded, isolation: 'rls', from: 8 }))
      await body.script(printSchema({ schema: made, isolation: 'rls', appRole: role }))
      expect(await describeSchema(body.sql, upgraded)).toEqual(await describeSchema(body.sql, made))
    }))

  it.each(['column', 'rls'] as const)('keeps what it holds, and serves the role that it served, %s', (isolation) =>
    withSchemas(async (made, upgraded, role) => {
      await body.sql(`create schema ${made}`)
      await earlySchema(body, upgraded, role, isolation)
      await body.open({ schema: upgraded, isolation, maintenance: connectionString }).migrate()
      const stash = body.open({
        connectionString: urlAs(role, connectionString),
        schema: upgraded,
        isolation,
        migrate: false,
      })
      const cache = stash.namespace('n')
      expect(await cache.get('k')).toEqual({ a: 1 })
      expect((await cache.set('k', 2)).version).toBeGreaterThan(64)
      const sessions = new Sessions({ stash, namespace: 'sess', userId: ({ user }) => user as string })
      expect(await sessions.get('s')).toEqual({ n: 1 })
      expect((await sessions.listByUser('ada')).map(({ id }) => id)).toEqual(['s'])
      const limiter = new RateLimiter({ stash, name: 'api', limit: 3, windowMs: 3_600_000 })
      expect(await limiter.consume('ip')).toMatchObject({ isAllowed: true, remaining: 0 })
      await stash.close()
    }),
  )
})
