import { defineConfig } from 'vitest/config'
import { SlowRoomsFirst } from './build/slow-rooms-first.ts'
import { sqlForVite } from './build/sql-module.ts'

export default defineConfig({
  plugins: [sqlForVite],
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One more than the cores of CI: a third of what the tests do is waiting.
    maxWorkers: 3,
    sequence: { sequencer: SlowRoomsFirst },
  },
})
