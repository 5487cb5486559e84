import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { fencesOf } from '../../build/docs/page'
import { freshSchema } from '../support/bodies'
import { runNode } from '../support/processes'

/** The programs that a newcomer copies first, as they stand there. */
const programs = ['README.md', 'docs/guide/getting-started.md']
  .flatMap((path) => fencesOf({ path, text: readFileSync(join(import.meta.dirname, '../..', path), 'utf8') }))
  .filter(({ language, code }) => language === 'js' && !code.includes('redis'))
  // Both pages have some of them.
  .filter(({ code }, at, all) => all.findIndex((other) => other.code === code) === at)

describe('the first programs', () => {
  const database = freshSchema()
  const url = inject('postgresUrl').replace(/\/[^/?]*(\?|$)/, `/${database}$1`)
  const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })

  beforeAll(() => admin.query(`create database ${database}`))

  afterAll(async () => {
    await admin.query(`drop database ${database} with (force)`)
    await admin.end()
  })

  it.each(programs)('$path:$line runs', async ({ code }) => {
    const { code: exit, output } = await runNode(`${code.replace('postgres://localhost/app', url)}\nprocess.exit(0)`, {
      DATABASE_URL: url,
    })
    expect(exit, output).toBe(0)
    expect(output).toBe(code.includes('// { count: 1 }') ? '{ count: 1 }\n' : '')
  })
})
