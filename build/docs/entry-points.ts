import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import tsup from '../../tsup.config'

/** What can be imported of the package. */
export interface EntryPoint {
  /** As an import names it: `pgstash/keyv`. */
  readonly name: string
  /** From the root: `src/adapters/keyv/store.ts`. */
  readonly source: string
  /** From the root: `dist/adapters/keyv.js`. */
  readonly built: string
}

interface Target {
  readonly import: { readonly default: string }
}

/**
 * Each of package.json, with the source that tsup makes it of.
 * @throws where tsup makes no such file
 */
export function entryPoints(root: string): EntryPoint[] {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string
    exports: Record<string, Target | string>
  }
  const sources = Object.assign({}, ...[tsup].flat().map((config) => (config as { entry: object }).entry))
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const built = target.import.default.replace(/^\.\//, '')
    const source = (sources as Record<string, string>)[built.replace(/^dist\/(.*)\.js$/, '$1')]
    if (source === undefined)
      throw new Error(`package.json exports ${path} as ${built}, which tsup.config.ts does not make`)
    return [{ name: join(name, path), source, built }]
  })
}
