import { describe, expect, inject, it } from 'vitest'
import type { PgStash } from '../../../src/stash/pg-stash'
import { IsolatedSchema } from '../../support/schemas/isolated'

const url = inject('postgresUrl')

const isolationOf = async (stash: PgStash) => (await stash.doctor()).checks.find((check) => check.name === 'isolation')

const tables = ['entry', 'namespace', 'session', 'counter', 'tag', 'sweep', 'migration']

/** What becomes of the owner; OTHER is to be the owner afterwards. */
const moves: readonly [name: string, move: string, hasFunctions: boolean][] = [
  [
    'tables given to another one by one',
    `${tables.map((table) => `alter table S.${table} owner to OTHER`).join('; ')};
     alter view S.live_entry owner to OTHER; alter sequence S.version owner to OTHER; alter schema SCHEMA_ owner to OTHER`,
    false,
  ],
  ['reassign owned', 'reassign owned by OWNER to OTHER', true],
  [
    'a restore without owners, in which the policies of the old one could not be made',
    `${tables
      .slice(0, 4)
      .map((table) => `drop policy maintenance on S.${table}`)
      .join('; ')}; reassign owned by OWNER to OTHER`,
    true,
  ],
]

describe('another owner than the one who enforced row-level security', () => {
  it.each(moves)(
    '%s: is told by doctor, the start and each call, is no "0 entries", and migrate mends it',
    async (_, move, hasFunctions) => {
      const made = await IsolatedSchema.make(url)
      const before = made.open()
      await before.tenant('a').namespace('n').set('k', 1)
      await before.tenant('a').namespace('n').set('brief', 1, { ttl: 1 })
      const other = await made.role('other')
      const spelt = move
        .replaceAll('OWNER', made.owner)
        .replaceAll('OTHER', other)
        .replaceAll('S.', `${made.schema}.`)
        .replaceAll('SCHEMA_', made.schema)
      // A process that counts and sweeps as a member of the old owner and of the new one.
      const janitor = await made.role('janitor')
      await made.admin(`grant ${made.owner} to ${janitor}; grant ${other} to ${janitor}`)
      const running = made.open({ maintenance: made.urlOf(janitor), sweeper: false, migrate: false })
      expect(await running.stats()).toMatchObject({ live: 1 })
      await made.admin(spelt)
      await made.admin(`revoke ${made.owner} from ${janitor}`)

      const stale = { code: 'ERR_PGSTASH_UNSAFE_ROLE', reason: 'policies' }
      await expect(running.stats()).rejects.toMatchObject(stale)
      await expect(running.sweep()).rejects.toMatchObject(stale)
      await made.admin(`set role ${other}`)
      await expect(made.admin(`call ${made.schema}.sweep_all()`)).rejects.toThrow(/tells no tenant/)
      await made.admin('reset role')
      const column = made.open({ connectionString: made.urlOf(other), isolation: 'column', migrate: false })
      await expect(column.ready()).rejects.toMatchObject({
        ...stale,
        message: expect.stringContaining('--isolation rls'),
      })
      expect(await isolationOf(column)).toMatchObject({
        status: 'fail',
        detail: expect.stringContaining('maintenance'),
        nextStep: expect.stringContaining('--isolation rls'),
      })
      expect(await isolationOf(made.open())).toMatchObject({ status: 'fail' })

      // What the error says to run, as the new owner; who has the tables only is not let at the functions, and a superuser settles both.
      const owner = made.open({ maintenance: made.urlOf(other), sweeper: false })
      if (hasFunctions) expect(await owner.migrate()).toEqual([])
      else {
        await expect(owner.migrate()).rejects.toMatchObject({ code: 'ERR_PGSTASH_PRIVILEGE' })
        await made.open({ maintenance: url, sweeper: false }).migrate()
      }
      expect(await owner.migrate()).toEqual([])
      expect(await owner.grantTo(made.app)).toEqual([])
      expect(await owner.stats()).toMatchObject({ live: 1 })
      expect(await owner.sweep()).toMatchObject({ expired: 1 })
      expect(await isolationOf(made.open())).toMatchObject({ status: 'ok' })
      expect(await made.open().tenant('a').namespace('n').get('k')).toBe(1)
      expect(await running.stats()).toMatchObject({ live: 1 })
      await made.drop()
    },
  )

  it('is mended by the next start of a stash that has the connection of that owner', async () => {
    const made = await IsolatedSchema.make(url)
    await made.open().namespace('n').set('k', 1)
    const other = await made.role('other')
    await made.admin(`reassign owned by ${made.owner} to ${other}`)
    const started = made.open({ maintenance: made.urlOf(other), sweeper: false })
    await started.ready()
    expect(await started.stats()).toMatchObject({ live: 1 })
    await made.drop()
  })
})
