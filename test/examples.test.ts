import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { isDeep } from './support/depth'
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
  'tags.mjs': `stored [ 'the cart of Ada', 'the shelf', 'the imprint' ]
product 7 has changed [ undefined, undefined, 'the imprint' ]
ada has changed undefined undefined
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
  'express-login.mjs': `pascal: 401 wrong
loom: 401 wrong
poet: 401 wrong
byron: 401 wrong
1815: 401 wrong
engine, right but too late: 429 too many attempts
  retry-after: 900
  ratelimit-policy: "login/username";q=5;w=900, "login/usernameAndIp";q=5;w=900, "login/ip";q=50;w=900
grace on her laptop: 200 welcome, grace
grace on her phone: 200 welcome, grace
her laptop: 200 {"name":"grace","lookup":1}
her phone, from the cache: 200 {"name":"grace","lookup":1}
log out everywhere else: 200 1 logged out
her phone: 401 nobody
her laptop: 200 {"name":"grace","lookup":1}
log out: 200 bye
her laptop: 401 nobody
10 more at once: 5 over the limit of all routes
`,
  'fastify-login.mjs': `10 guesses at once: 5 wrong, 5 too many
right, but too late: 429 too many attempts
grace: 200 welcome, grace
her profile: 200 {"name":"grace","lookup":1}
from the cache: 200 {"name":"grace","lookup":1}
log out: 200 bye
and now: 401 nobody
10 more at once: 6 over the limit of all routes
`,
  'loading.mjs': `a hundred callers 100 loads 1
expired undefined
stale { id: 42, load: 1 }
or waited for { id: 42, load: 2 }
failed { id: 42, load: 2 }
loaded { id: 7, name: 'old' } kept { id: 7, name: 'new' }
absent [ '8', '9' ]
many 3
wrapped { id: 1, price: 10 } { id: 1, price: 10 }
`,
  'locks.mjs': `held here true
try there undefined
wait a moment ERR_PGSTASH_LOCK_TIMEOUT
write written
aborted true ERR_PGSTASH_LOCK_LOST
a greater token true
write there written
write here refused
released false true
at once 1
`,
  'near.mjs': `from memory { price: 10 }
one object for all who read true
with the version it was written as { price: 12 }
seen within the bound of a second true
after a clear elsewhere undefined
`,
  'tenants.mjs': `acme red
globex blue
no tenant: ERR_PGSTASH_TENANT_REQUIRED
acme, cleared undefined
globex, untouched blue
`,
}

const files = Object.keys(outputs)

/** A PGlite takes three seconds of a core to start: beside the demo, one shows that they run there. */
const onPGlite = isDeep ? files : ['native.mjs']

describe.each([
  ['PGlite', () => ({ DATABASE_URL: '' }), onPGlite],
  ['PostgreSQL', () => ({ DATABASE_URL: inject('postgresUrl') }), files],
] as const)('examples on %s', (_, env, files) => {
  const withoutUrl = () => {
    const given = env()
    // An empty DATABASE_URL is still one: take it away.
    return given.DATABASE_URL === '' ? { DATABASE_URL: undefined as unknown as string } : given
  }

  it.each(files)('%s prints what it promises', async (file) => {
    const ended = await runCommand('node', [join(directory, file)], { env: withoutUrl() })
    expect(ended).toEqual({ code: 0, output: outputs[file] })
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
    expect(output).toMatch(/the laptop logs out everywhere else +200 1 logged out +\d+\.\d ms/)
    expect(output).toMatch(/the phone asks again +200 nobody +\d+\.\d ms/)
    expect(output).toMatch(/the laptop asks +200 ada +\d+\.\d ms/)
    expect(output).toMatch(/8 searches at once, where 5 a minute may +5 found, 3 got 429 +\d+\.\d ms/)
    expect(output).toMatch(/20 passwords for bob, guessed at once +5 wrong, 15 got 429 +\d+\.\d ms/)
    expect(output).toMatch(/the 21st is right, but too late +429 locked for 15 min +\d+\.\d ms/)
    expect(output).toMatch(/Ada is not locked out +200 welcome, ada +\d+\.\d ms/)
    expect(output).toMatch(/That is the story/)
  })
})

it('every example is run here', () => {
  expect(readdirSync(directory).sort()).toEqual([...Object.keys(outputs), 'demo.mjs'].sort())
})
