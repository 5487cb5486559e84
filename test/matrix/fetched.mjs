import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** `npm ci` empties it; what is in npm's own cache is not downloaded again. */
const cache = join(import.meta.dirname, '../../node_modules/.cache/pgstash-matrix')

/**
 * One exact version of an npm package, in a folder of its own beside those of the project.
 * @returns {Promise<string>} the `node_modules` that holds it
 */
export async function fetched(name, version) {
  const folder = join(cache, `${name}@${version}`)
  // Written last: a folder without it is what an interrupted run has left.
  const isWhole = join(folder, 'whole')
  if (!existsSync(isWhole)) {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await install(folder, name, version)
    await writeFile(isWhole, '')
  }
  return join(folder, 'node_modules')
}

/** These packages bring the binary of this machine by their install scripts, which newer versions of npm run only where they are named. */
async function install(folder, name, version) {
  const project = { private: true, dependencies: { [name]: version }, allowScripts: { [name]: true } }
  await writeFile(join(folder, 'package.json'), JSON.stringify(project))
  const flags = [
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--prefer-offline',
    '--no-update-notifier',
    '--loglevel=error',
  ]
  const npm = spawn('npm', ['install', ...flags], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(npm, 'exit')
  if (code !== 0) throw new Error(`npm has not installed ${name}@${version} for ${process.platform}-${process.arch}`)
}
