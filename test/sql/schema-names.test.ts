import { expect, inject, it } from 'vitest'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { printSchema } from '../../src/stash/schema-script'
import { Sessions } from '../../src/stash/sessions/store'
import { pgstash } from '../cli/pgstash'
import { type Body, describeBodies, describePostgres, freshSchema, urlAs } from '../support/bodies'

/** Names that something might take for a part of its own: the quotes of function bodies, parameters, patterns, keywords. */
const names = ['a$$b', '_$', 'a$body1$$$b', 'A$function$B$$c$1$2', 'select', `${'x'.repeat(61)}$$`]

/** What PostgreSQL takes between quotes, and this package does not: refused before anything is sent. */
const refused = [
  '',
  '$',
  '$$',
  '1a',
  'a-b',
  'a b',
  'a.b',
  'a"b',
  "a'b",
  'a\\b',
  'a%b',
  'a\nb',
  'a\0b',
  'schemä',
  'pg_x',
  'PG_x',
  'x'.repeat(64),
]

/** Every kind of statement once, and the sweep. */
async function useAll(stash: PgStash): Promise<void> {
  const cache = stash.tenant('t').namespace('n')
  await cache.set('k', { n: 1 })
  expect(await cache.get('k')).toEqual({ n: 1 })
  await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key })))
  expect(await cache.getMany(['a', 'b', 'x'])).toEqual(['a', 'b', undefined])
  const { version } = (await cache.getEntry('a')) as { version: number }
  expect((await cache.compareAndSet('a', version, 1)).ok).toBe(true)
  expect([await cache.add('a', 1), await cache.increment('i', 2), await cache.take('b')]).toEqual([false, 2, 'b'])
  expect([await cache.touch('c', 60_000), await cache.has('c'), await cache.delete('c')]).toEqual([true, true, true])
  expect((await cache.keys().next()).value).toBe('a')
  expect(await cache.deleteByPrefix('i')).toBe(1)
  await cache.clear()
  await stash.tenant('t').clear()
  await useSessionsAndLimits(stash)
  expect(await stash.sweep()).toMatchObject({ expired: 0 })
  expect((await stash.stats()).live).toBe(0)
  expect(await stash.migrate()).toEqual([])
}

async function useSessionsAndLimits(stash: PgStash): Promise<void> {
  const sessions = new Sessions({ stash, userId: () => 'u' })
  await sessions.set('s', { n: 1 })
  await sessions.touch('s', { n: 1 })
  expect([await sessions.get('s'), await sessions.length(), await sessions.destroyByUser('u')]).toEqual([
    { n: 1 },
    1,
    1,
  ])
  for (const algorithm of ['fixed-window', 'sliding-window', 'gcra'] as const) {
    const limiter = new RateLimiter({ stash, name: algorithm, algorithm, limit: 1, windowMs: 60_000 })
    expect([(await limiter.consume('c')).isAllowed, (await limiter.consume('c')).isAllowed]).toEqual([true, false])
    await limiter.reset('c')
  }
  await new LoginLimiter({ stash }).begin({ username: 'u', ip: '192.0.2.1' })
}

/** The run shares a server: other tests may have a schema of such a name. */
async function withoutSchema(body: Body, schema: string, work: () => Promise<void>): Promise<void> {
  await body.sql(`drop schema if exists "${schema}" cascade`)
  await work().finally(() => body.sql(`drop schema if exists "${schema}" cascade`))
}

describeBodies('the name of a schema', (body) => {
  it.each(names)('%s: migrates, and serves every verb', (schema) =>
    withoutSchema(body, schema, async () => {
      const stash = body.open({ schema })
      await useAll(stash)
      await stash.close()
    }),
  )

  it.each(refused)('%j: is refused before anything is sent', (schema) => {
    expect(() => new PgStash({ schema })).toThrow(expect.objectContaining({ field: 'schema' }))
  })
})

describePostgres('a script and the command line', (body) => {
  it.each(names)('%s: the printed script makes it, also for a role with any name', (schema) =>
    withoutSchema(body, schema, async () => {
      const role = `${freshSchema()}"pgstash" $1$$`
      await body.sql(`create role "${role.replaceAll('"', '""')}" login`)
      await body.script(printSchema({ schema, isolation: 'rls', appRole: role }))
      const connectionString = urlAs(encodeURIComponent(role), inject('postgresUrl'))
      const stash = new PgStash({ connectionString, schema, isolation: 'rls', migrate: false })
      await stash.tenant('t').namespace('n').set('k', 1)
      expect(await stash.tenant('t').namespace('n').get('k')).toBe(1)
      await stash.close()
      await body.sql(`drop schema "${schema}" cascade; drop role "${role.replaceAll('"', '""')}"`)
    }),
  )

  it('a$$b: the flags of the commands take it', () =>
    withoutSchema(body, 'a$$b', async () => {
      const answers: unknown[] = []
      for (const command of ['migrate', 'stats', 'cleanup', 'doctor']) {
        const { code, stderr } = await pgstash([command, '--schema', 'a$$b'])
        answers.push([command, code, stderr])
      }
      expect(answers).toEqual(['migrate', 'stats', 'cleanup', 'doctor'].map((command) => [command, 0, '']))
    }))
})
