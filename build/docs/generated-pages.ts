import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { entryPoints } from './entry-points'
import { errorsPage } from './errors-page'
import { optionsPage } from './options-page'
import { type Surface, surfaceOf } from './surface'

/** The public names of the package, and the sources of its command line, which says errors too. */
export function packageSurface(root: string): Surface {
  const commands = readdirSync(join(root, 'src/cli'), { recursive: true, encoding: 'utf8' })
  return surfaceOf(
    root,
    entryPoints(root),
    commands.filter((path) => path.endsWith('.ts')).map((path) => `src/cli/${path}`),
  )
}

/** Pages that are made of the sources; they are committed, so that GitHub shows them. */
export function generatedPages(surface: Surface): Record<string, string> {
  return {
    'docs/reference/errors.md': errorsPage(surface).text,
    'docs/reference/options.md': optionsPage(surface).text,
  }
}
