import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const file = join(import.meta.dirname, 'versions.json')

/**
 * The versions that the matrix runs, as their npm packages count them. They stand in `versions.json` and nowhere else:
 * docs/reference/supported-versions.md is held to it by a test.
 * @type {Readonly<Record<'postgres' | 'node' | 'bun' | 'deno', readonly string[]>>}
 */
export const versions = JSON.parse(readFileSync(file, 'utf8'))

/** Those of `of` that the command line asks for by their major number; all of them where it asks for none. */
export function asked(of, majors = process.argv.slice(2)) {
  const unknown = majors.filter((major) => !of.some((version) => majorOf(version) === major))
  if (unknown.length > 0) throw new Error(`No version ${unknown.join(', ')} in ${file}: there is ${of.join(', ')}.`)
  return majors.length === 0 ? of : of.filter((version) => majors.includes(majorOf(version)))
}

function majorOf(version) {
  return version.split('.')[0]
}
