import { defineConfig } from 'tsup'

/** The benchmark, against the built package as users get it. */
export default defineConfig({
  entry: {
    main: 'bench/main.ts',
    app: 'bench/app/main.ts',
    stampede: 'bench/stampede/main.ts',
    soak: 'bench/soak/main.ts',
  },
  outDir: 'bench/.out',
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  skipNodeModulesBundle: true,
  external: ['pgstash'],
  silent: true,
})
