import { defineConfig } from 'vitest/config'
import { sqlForVite } from './build/sql-module.ts'

export default defineConfig({
  plugins: [sqlForVite],
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
})
