import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Every file within these folders, by its path from the project's; what a tool has made aside. */
export function filesOf(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true, encoding: 'utf8' })
      .filter((entry) => entry.isFile())
      .map((entry) => join(folder, entry.parentPath.slice(join(root, folder).length), entry.name))
      .filter((path) => !/(^|\/)(\.out|results|node_modules)\//.test(path)),
  )
}
