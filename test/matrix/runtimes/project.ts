import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ended, runCommand } from '../../support/processes'

const root = join(import.meta.dirname, '../../..')

/** Beside the package, under the names that users know them by. */
const hosts = {
  '@electric-sql/pglite': '@electric-sql/pglite',
  'cache-manager': 'cache-manager7',
  express: 'express',
  'express-rate-limit': 'express-rate-limit',
  'express-session': 'express-session',
  keyv: 'keyv',
}

/** The packed package and its hosts, installed in a project of its own, with the scripts of this folder. */
export class Project {
  private constructor(readonly folder: string) {}

  static async create(): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'pgstash-runtimes-')))
    await project.#npm(['pack', '--ignore-scripts', '--pack-destination', project.folder], root)
    const [tarball] = readdirSync(project.folder)
    const dependencies = Object.entries(hosts).map(([name, here]) => [name, installedVersion(here)])
    const manifest = { private: true, dependencies: { pgstash: `./${tarball}`, ...Object.fromEntries(dependencies) } }
    await writeFile(join(project.folder, 'package.json'), JSON.stringify(manifest))
    await project.#npm(['install', '--prefer-offline', '--no-audit', '--no-fund'], project.folder)
    for (const script of readdirSync(import.meta.dirname).filter((name) => name.endsWith('.mjs')))
      copyFileSync(join(import.meta.dirname, script), join(project.folder, script))
    return project
  }

  run([command, ...args]: readonly [string, ...string[]], env: Record<string, string>): Promise<Ended> {
    return runCommand(command, args, { cwd: this.folder, env })
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  async #npm(args: readonly string[], cwd: string): Promise<void> {
    const { code, output } = await runCommand('npm', args, { cwd })
    if (code !== 0) throw new Error(`npm ${args[0]} has failed: ${output}`)
  }
}

function installedVersion(name: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}
