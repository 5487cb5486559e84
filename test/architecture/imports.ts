import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { arrows, foundations, packages } from './arrows'

const root = join(import.meta.dirname, '../..')

/** By path from the project's folder, with what they hold. */
export type Sources = Readonly<Record<string, string>>

export interface Import {
  readonly from: string
  readonly to: string
}

export function sourcesIn(...folders: readonly string[]): Sources {
  return Object.fromEntries(
    folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.ts') && !path.startsWith('.'))
        .map((path) => [join(folder, path), readFileSync(join(root, folder, path), 'utf8')]),
    ),
  )
}

/** Imports of types too: a cycle of types is a cycle for its reader. */
export function importsOf(files: Sources): Import[] {
  return Object.entries(files).flatMap(([path, text]) =>
    [...text.matchAll(/(?:^|\s)(?:from|import) ?\(?'([^']+)'/g)].map(([, to = '']) => ({
      from: path.replace(/\.ts$/, ''),
      to: to.startsWith('.') ? normalize(join(path, '..', to)) : to,
    })),
  )
}

/** The folder; for what lies at the top of src/, the file; all of sql/ is one. undefined: a package. */
export function roomOf(path: string): string | undefined {
  if (path.startsWith('sql/')) return 'sql'
  if (!/^(src|bench|test)\//.test(path)) return undefined
  const folder = dirname(path)
  return folder === 'src' ? path : folder
}

/** What stands against an import, as a sentence; empty where nothing does. */
export function brokenBy({ from, to }: Import): string[] {
  const room = roomOf(from) as string
  const target = roomOf(to)
  if (target === undefined) {
    const allowed = Object.entries(packages).some(([within, names]) => isWithin(room, within) && names.includes(to))
    return allowed || !room.startsWith('src') ? [] : [`${from} may not import the package ${to}`]
  }
  // A file of adapters/ is a host: those that are several files have a folder.
  if (room === target && room !== 'src/adapters') return []
  if (targetsOf(room).some((pattern) => matches(target, pattern))) return []
  return [`${from} may not import ${to}: ${room} -> ${target} is not an arrow of the table`]
}

/** The line of the room itself, and of `parent/*`. */
function targetsOf(room: string): string[] {
  return arrows
    .filter(([pattern]) => matches(room, pattern))
    .flatMap(([, targets]) => targets.replace('@', foundations).split(' '))
}

const isWithin = (room: string, outer: string) => room === outer || room.startsWith(`${outer}/`)

function matches(room: string, pattern: string): boolean {
  return pattern.endsWith('/*') ? room.startsWith(pattern.slice(0, -1)) : room === pattern
}

/** The first round trip of imports, if there is one: of files, or of what `nodeOf` makes of them. */
export function cycleIn(
  imports: readonly Import[],
  nodeOf: (path: string) => string | undefined = (path) => path,
): string[] | undefined {
  const edges = new Map<string, Set<string>>()
  for (const { from, to } of imports) {
    const [source, target] = [nodeOf(from), nodeOf(to)]
    if (source === undefined || target === undefined || (source === target && from !== to)) continue
    edges.set(source, (edges.get(source) ?? new Set()).add(target))
  }
  const done = new Set<string>()
  const visit = (node: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node]
    if (done.has(node)) return undefined
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next, [...path, node])
      if (cycle !== undefined) return cycle
    }
    done.add(node)
    return undefined
  }
  for (const node of edges.keys()) {
    const cycle = visit(node, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}
