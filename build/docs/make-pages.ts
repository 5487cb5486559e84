import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedPages, packageSurface } from './generated-pages'

const root = process.cwd()
for (const [path, text] of Object.entries(generatedPages(packageSurface(root)))) {
  writeFileSync(join(root, path), text)
  console.log(path)
}
