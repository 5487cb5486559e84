import { defineConfig } from 'tsup'
import { sqlForEsbuild } from './build/sql-module.ts'

export default defineConfig([
  {
    entry: {
      index: 'src/index.ts',
      'adapters/keyv': 'src/adapters/keyv/store.ts',
      'adapters/cache-manager': 'src/adapters/cache-manager/store.ts',
      'adapters/express-session': 'src/adapters/sessions/express.ts',
      'adapters/fastify-session': 'src/adapters/sessions/fastify.ts',
      'adapters/express-rate-limit': 'src/adapters/express-rate-limit.ts',
      'adapters/fastify-rate-limit': 'src/adapters/fastify-rate-limit.ts',
      'adapters/nestjs-throttler': 'src/adapters/nestjs-throttler.ts',
      'adapters/opentelemetry': 'src/adapters/opentelemetry.ts',
      'adapters/prometheus': 'src/adapters/prometheus.ts',
    },
    format: ['esm', 'cjs'],
    dts: true,
    splitting: true,
    // Native async functions: Keyv 6 looks for them.
    target: 'es2022',
    platform: 'node',
    clean: true,
    silent: true,
    esbuildPlugins: [sqlForEsbuild],
  },
  {
    entry: { 'cli/main': 'src/cli/main.ts' },
    format: ['esm'],
    silent: true,
    target: 'es2022',
    platform: 'node',
    esbuildPlugins: [sqlForEsbuild],
  },
])
