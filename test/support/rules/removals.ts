import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '../../..')

/** A rule of the package, in its code or in its SQL, and how that reads where the rule is left out. */
export interface Removal {
  readonly rule: string | RegExp
  readonly without: string
}

/** A package that other processes import. */
export interface BuiltPackage {
  readonly url: string
  remove(): Promise<void>
}

/** The built package; without rules, a copy that lacks them. All of the text that is to go has to be there, wherever that is. */
export async function builtPackage(removals: readonly Removal[] = []): Promise<BuiltPackage> {
  const dist = join(root, 'dist')
  if (removals.length === 0) return { url: urlOf(dist), remove: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'pgstash-without-'))
  const copy = join(folder, 'dist')
  await cp(dist, copy, { recursive: true })
  await cp(join(root, 'package.json'), join(folder, 'package.json'))
  // Its dependencies are found where it is.
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const removal of removals) await leaveOut(copy, removal)
  return { url: urlOf(copy), remove: () => rm(folder, { recursive: true }) }
}

async function leaveOut(folder: string, { rule, without }: Removal): Promise<void> {
  let isFound = false
  for (const name of (await readdir(folder)).filter((one) => one.endsWith('.js'))) {
    const text = await readFile(join(folder, name), 'utf8')
    const changed = text.replaceAll(everywhere(rule), () => without)
    if (changed === text) continue
    isFound = true
    await writeFile(join(folder, name), changed)
  }
  if (!isFound) throw new Error(`The package has no such rule: ${rule}`)
}

function everywhere(rule: string | RegExp): string | RegExp {
  return typeof rule === 'string' ? rule : new RegExp(rule.source, 'g')
}

function urlOf(folder: string): string {
  return pathToFileURL(join(folder, 'index.js')).href
}
