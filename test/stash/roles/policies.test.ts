import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { PgStash } from '../../../src/stash/pg-stash'
import { IsolatedSchema } from '../../support/schemas/isolated'

const url = inject('postgresUrl')

let made: IsolatedSchema
let owner: PgStash

beforeAll(async () => {
  made = await IsolatedSchema.make(url)
  owner = made.open({ maintenance: url, sweeper: false })
})

afterAll(() => made.drop())

/** What is done to policies that were right. */
const spoilt: readonly [spoil: string, reason: string][] = [
  ['alter table S.session no force row level security', 'not-forced'],
  ['alter table S.counter disable row level security', 'not-forced'],
  ['drop policy tenant on S.entry', 'policies'],
  ['alter policy tenant on S.entry using (true)', 'policies'],
  ['alter policy tenant on S.entry with check (true)', 'policies'],
  ['alter policy maintenance on S.session to public', 'policies'],
  // Before PostgreSQL 15 it never has it, and applications may not ask the view.
  ...(inject('postgresMajor') >= 15
    ? [['alter view S.live_entry reset (security_invoker)', 'policies'] satisfies [string, string]]
    : []),
  ['alter table S.counter owner to postgres', 'policies'],
]

describe('policies that are not as they are meant', () => {
  it.each(spoilt)(
    'are refused at the start, told by doctor and migrate --check, and mended by migrate: %s',
    async (spoil, reason) => {
      await made.admin(spoil.replaceAll('S.', `${made.schema}.`))
      const app = made.open()
      await expect(app.ready()).rejects.toMatchObject({ code: 'ERR_PGSTASH_UNSAFE_ROLE', reason })
      const { checks } = await app.doctor()
      expect(checks.find(({ name }) => name === 'isolation')).toMatchObject({ status: 'fail' })
      expect((await owner.checkSchema()).faults).not.toEqual([])
      expect(await owner.migrate()).toEqual([])
      expect((await owner.checkSchema()).faults).toEqual([])
      await owner.grantTo(made.app)
      await app.ready()
    },
  )
})
