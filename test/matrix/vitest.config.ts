import { mergeConfig } from 'vitest/config'
import base from '../../vitest.config.ts'

/** The suites of the project, under the name of what they run on: it stands before every failure. */
export default mergeConfig(base, {
  test: {
    name: process.env.PGSTASH_RUN,
    include: ['test/matrix/runtimes/*.smoke.ts'],
    // The suites of the hosts wait for windows and expiries most of their time.
    maxWorkers: 4,
    // A line for each file is enough: the same tests have been told one by one by `npm test`.
    slowTestThreshold: 60_000,
    silent: 'passed-only',
  },
})
