import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fencesOf, readPages } from '../../build/docs/page'
import { sqlFaults } from '../../build/docs/sql-blocks'
import { PgStash } from '../../src/index'

const root = join(import.meta.dirname, '../..')

describe('blocks of SQL in the pages', () => {
  let pglite: PGlite

  beforeAll(async () => {
    pglite = await PGlite.create()
    const stash = new PgStash({ pglite, sweeper: false })
    await stash.ready()
    await stash.close()
  })

  afterAll(() => pglite.close())

  it('are taken by PostgreSQL, and named where they are not', async () => {
    const planted = fencesOf({
      path: 'docs/guide/planted.md',
      text: [
        '```sql\nselect nothing from pgstash.live_entry;\n```',
        '<!-- given: parsed -->\n```sql\ncreate database nowhere;\ngrant all on database nowhere to nobody;\n```',
        '<!-- given: parsed -->\n```sql\ncreate database nowhere owner;\n```',
      ].join('\n\n'),
    })
    expect(await sqlFaults(pglite, [...readPages(root).flatMap(fencesOf), ...planted])).toEqual([
      'docs/guide/planted.md:2: column "nothing" does not exist',
      'docs/guide/planted.md:13: syntax error at or near ";"',
    ])
  })
})
