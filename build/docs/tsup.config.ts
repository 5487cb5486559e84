import { defineConfig } from 'tsup'

/** What makes and checks the pages: run by Node, which reads no TypeScript. */
export default defineConfig({
  entry: {
    pages: 'build/docs/make-pages.ts',
    api: 'build/docs/make-api.ts',
    costs: 'build/docs/make-costs.ts',
    check: 'build/docs/check-site.ts',
  },
  outDir: 'build/docs/.out',
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  skipNodeModulesBundle: true,
  silent: true,
})
