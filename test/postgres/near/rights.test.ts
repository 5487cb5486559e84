import { describe, expect, it, onTestFinished } from 'vitest'
import { addressOf } from '../../../src/coalescing/address'
import { describePostgres, freshSchema, urlAs } from '../../support/bodies'
import { openLog } from './open-log'
import { keyDigest, tenantDigest } from './plain-digests'

describePostgres('a role of the application', (body) => {
  const { connectionString } = body.connection() as { connectionString: string }

  describe.each(['column', 'rls'] as const)('with isolation %s', (isolation) => {
    it('writes and reads the log, marks and keeps it up; with no right beyond those that it is granted', async () => {
      const schema = freshSchema()
      const role = `${schema}_app`
      await body.sql(`create role ${role} login`)
      const owner = body.open({ schema, isolation, maintenance: isolation === 'rls' ? connectionString : undefined })
      await owner.migrate()
      expect(await owner.grantTo(role)).toEqual([])
      const options = { connectionString: urlAs(role, connectionString), schema, isolation, migrate: false } as const
      const log = await openLog(options)
      await Promise.all([log.mark('acme', 'n'), log.mark('other', 'n'), log.mark('acme', 'm')])
      const { position } = await log.poll(undefined)
      const stash = body.open({ ...options, sweeper: false })
      await stash.tenant('acme').namespace('n').set('a', 1)
      await stash.tenant('other').namespace('n').set('a', 1)
      await stash.tenant('other').clear()
      // One log for all tenants: it names nobody.
      const page = await log.poll(position)
      expect(page.rows.map(({ kind, digests }) => [kind, ...digests])).toEqual([
        ['k', keyDigest(addressOf('acme', 'n'), 'a')],
        ['k', keyDigest(addressOf('other', 'n'), 'a')],
        ['t', tenantDigest('other')],
      ])
      await body.sql(`update ${schema}.incarnation set turned_at = 0`)
      await log.poll(page.position)
      await log.keep()
      await body.sql(`update ${schema}.turn set at = 0`)
      await body.sql(`update ${schema}.incarnation set turned_at = 0`)
      await log.poll(page.position)
      await log.keep()
      expect(await body.sql(`select count(*)::int from ${schema}.invalidation`)).toEqual([[0]])
      onTestFinished(async () => {
        await stash.close()
        await body.script(`drop schema ${schema} cascade; drop role ${role}`)
      })
    })
  })

  it('that is no tenant marks nobody else', async () => {
    const schema = freshSchema()
    const role = `${schema}_app`
    await body.sql(`create role ${role} login`)
    const owner = body.open({ schema, isolation: 'rls', maintenance: connectionString })
    await owner.migrate()
    await owner.grantTo(role)
    await expect(
      body.script(
        `begin; set local role ${role}; set local pgstash.tenant = 'acme'; select ${schema}.near_mark('{other}', '{n}', 1)`,
      ),
    ).rejects.toThrow('row-level security')
    await body.script('rollback')
    await body.script(`drop schema ${schema} cascade; drop role ${role}`)
  })
})
