import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/bodies'
import { tablesOf } from '../support/markdown'

const page = readFileSync(join(import.meta.dirname, '../../docs/guide/managed-postgres.md'), 'utf8')

const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)

describePostgres("the page's list of what the application's role gets", (body) => {
  it("is that of the schema's own", async () => {
    const { rows } = tablesOf(page).find(({ header }) => header.join() === 'object,rights') ?? { rows: [] }
    // What follows a semicolon is said of row-level security.
    const told = rows.flatMap(([objects = '', rights = '']) =>
      quoted(objects).map((name) => [name, quoted(rights.split(';')[0] as string).sort()] as const),
    )
    const stash = body.open()
    await stash.ready()
    const listed = await body.sql(
      `select r.name, array(select p from unnest(r.privileges) p order by p) from "${stash.schema}".app_rights() r where r.kind = 'table'`,
    )
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(listed as [string, string[]][]))
  })
})
