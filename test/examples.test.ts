import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { runCommand } from './support/processes'

const directory = join(import.meta.dirname, '../examples')

/** What each prints, to the letter. */
const outputs: Record<string, string> = {
  'native.mjs': `get { count: 1 }
many [ { count: 1 }, undefined ]
add true false
compare and set true
the same again false
increment 1 42
entry user:1 Ada
entry user:2 Grace
delete by prefix 2
after clear undefined
`,
  'keyv.mjs': `user { name: 'Ada' }
post { title: 'On engines' }
users after clear undefined
posts after clear { title: 'On engines' }
`,
  'cache-manager-5.mjs': `page 1
page 1
[ 'Ada', 'Grace', undefined ]
[ 'user:1', 'user:2' ]
`,
  'cache-manager-7.mjs': `page 1
page 1
[ 1, 2, undefined ]
`,
  'express.mjs': `100 acme: a page in red
100 globex: a page in blue
acme, cleared: a page in undefined
`,
  'tenants.mjs': `acme red
globex blue
no tenant: ERR_PGSTASH_TENANT_REQUIRED
acme, cleared undefined
globex, untouched blue
`,
}

describe.each([
  ['PGlite', () => ({ DATABASE_URL: '' })],
  ['PostgreSQL', () => ({ DATABASE_URL: inject('postgresUrl') })],
])('examples on %s', (_, env) => {
  const withoutUrl = () => {
    const given = env()
    // An empty DATABASE_URL is still one: take it away.
    return given.DATABASE_URL === '' ? { DATABASE_URL: undefined as unknown as string } : given
  }

  it.each(Object.entries(outputs))('%s prints what it promises', async (file, output) => {
    expect(await runCommand('node', [join(directory, file)], { env: withoutUrl() })).toEqual({ code: 0, output })
  })

  it('demo.mjs tells its story to the end', async () => {
    const { code, output } = await runCommand('node', [join(directory, 'demo.mjs')], { env: withoutUrl() })
    expect(code, output).toBe(0)
    // Every step with its outcome and its time.
    expect(output).toMatch(/Keyv 6 gets it +\{"born":1815\} +\d+\.\d ms/)
    expect(output).toMatch(/Keyv 5 gets it 60 ms later +undefined +\d+\.\d ms/)
    expect(output).toMatch(/globex looks +undefined +\d+\.\d ms/)
    expect(output).toMatch(/1,000 increments of one counter +counter is 1000 +\d+\.\d ms/)
    expect(output).toMatch(/the sweep removes them later +10002 rows removed +\d+\.\d ms/)
    expect(output).toMatch(/That is the story/)
  })
})

it('every example is run here', () => {
  expect(readdirSync(directory).sort()).toEqual([...Object.keys(outputs), 'demo.mjs'].sort())
})
