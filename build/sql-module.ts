import { readFile } from 'node:fs/promises'
import { basename, sep } from 'node:path'

/** Makes `import file from './verb-noun.sql'` give `{ name, text }`, in the build (esbuild) and in the tests (Vite) alike. */
async function sqlModule(path: string): Promise<string> {
  const file = { name: nameOf(path), text: (await readFile(path, 'utf8')).trim() }
  return `export default ${JSON.stringify(file)}`
}

/** For esbuild. */
export const sqlForEsbuild = {
  name: 'sql',
  setup(build: {
    onLoad(
      filter: { filter: RegExp },
      load: (file: { path: string }) => Promise<{ contents: string; loader: 'js' }>,
    ): void
  }) {
    build.onLoad({ filter: /\.sql$/ }, async ({ path }) => ({ contents: await sqlModule(path), loader: 'js' }))
  },
}

/** For Vite. */
export const sqlForVite = {
  name: 'sql',
  enforce: 'pre' as const,
  async load(id: string) {
    return id.endsWith('.sql') ? sqlModule(id) : null
  },
}

/** A statement's has its room, for verbs of two rooms may be called alike: `sessions/own/read`. A migration's is that of its file. */
function nameOf(path: string): string {
  const [, statement] = path.split(`${sep}sql${sep}statements${sep}`)
  return (statement?.replaceAll(sep, '/') ?? basename(path)).replace(/\.sql$/, '')
}
