import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What an import of one file of the bundle loads at once; what it may load later, by `import()`, is not among it. */
export interface Loaded {
  /** Of the bundle, each once. */
  readonly files: readonly string[]
  readonly bytes: number
  /** The sources that these were made of: `src/stash/entries/cache.ts`. */
  readonly sources: readonly string[]
  /** What it imports from elsewhere: `pg`, `node:crypto`. */
  readonly packages: readonly string[]
}

/** esbuild says of each source where it begins. */
const sourceComment = /^\/\/ ((?:src|sql)\/\S+)$/gm
const staticImport = /^(?:import|export)\b[^;'"]*?(?:\bfrom\s*)?["']([^"']+)["'];?$/gm

/** Follows the imports of a built file of ESM, as Node does. */
export function loadedBy(entry: string): Loaded {
  const [files, sources, packages] = [new Map<string, number>(), new Set<string>(), new Set<string>()]
  const follow = (file: string): void => {
    if (files.has(file)) return
    const text = readFileSync(file, 'utf8')
    files.set(file, Buffer.byteLength(text))
    for (const [, source] of text.matchAll(sourceComment)) sources.add(source as string)
    for (const [, name = ''] of text.matchAll(staticImport)) {
      if (name.startsWith('.')) follow(join(dirname(file), name))
      else packages.add(name)
    }
  }
  follow(entry)
  return {
    files: [...files.keys()],
    bytes: [...files.values()].reduce((sum, bytes) => sum + bytes, 0),
    sources: [...sources].sort(),
    packages: [...packages].sort(),
  }
}
