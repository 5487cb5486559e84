import { join } from 'node:path'
import { fetched } from './fetched.mjs'
import { passes, runAll } from './runs.mjs'
import { asked, versions } from './versions.mjs'

// npm run test:nodes, or npm run test:nodes -- 24

const suites = ['test/matrix/this-run.test.ts', 'test/hosts']

await runAll(
  'The suites of the hosts on each version of Node.',
  asked(versions.node).map((version) => ({
    name: `Node ${version}`,
    run: async () => passes(`Node ${version}`, suites, { node: join(await fetched('node', version), '.bin/node') }),
  })),
)
