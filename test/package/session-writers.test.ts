import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { freshSchema } from '../support/bodies'
import { runCommand } from '../support/processes'

const schema = freshSchema()
const connectionString = inject('postgresUrl')
const stash = new PgStash({ connectionString, schema })
const sessions = new Sessions({ stash, lostUpdates: 'reject' })
const kept = ['kept-1', 'kept-2']
const ended = ['ended-1', 'ended-2', 'ended-3']

interface Told {
  readonly acknowledged: Record<string, string[]>
  readonly destroyedAt: Record<string, number>
  readonly seenAt: Record<string, number>
  readonly conflicts: number
}

beforeAll(() => stash.ready())

afterAll(async () => {
  await stash.close()
  const admin = new pg.Pool({ connectionString, max: 1 })
  await admin.query(`drop schema ${schema} cascade`)
  await admin.end()
})

async function write(name: string): Promise<Told> {
  const script = ['test/package/session-writers.mjs', connectionString, schema, name, kept.join(), ended.join(), '12']
  const { code, output } = await runCommand(process.execPath, script)
  expect(code, output).toBe(0)
  return JSON.parse(output) as Told
}

it('processes that write the same sessions at once lose no acknowledged update, and bring no destroyed session back', async () => {
  const cookie = { expires: new Date(Date.now() + 600_000) }
  for (const id of [...kept, ...ended]) await sessions.set(id, { cookie, marks: [] })
  const told = await Promise.all([write('one'), write('other')])
  expect(told.reduce((sum, { conflicts }) => sum + conflicts, 0)).toBeGreaterThan(0)
  for (const id of kept) {
    const acknowledged = told.flatMap((one) => one.acknowledged[id] ?? [])
    expect(acknowledged.length).toBeGreaterThan(0)
    const found = (await sessions.get(id)) as { marks: string[] } | undefined
    expect(found?.marks.slice().sort()).toEqual(acknowledged.sort())
  }
  for (const id of ended) {
    expect(await sessions.get(id)).toBeUndefined()
    const destroyedAt = Math.min(...told.map((one) => one.destroyedAt[id] as number))
    for (const { seenAt } of told) expect(seenAt[id] ?? 0).toBeLessThan(destroyedAt)
  }
}, 120_000)
