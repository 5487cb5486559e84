import { readdirSync, readFileSync } from 'node:fs'
import { join, normalize, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

/** Who may import whom, of the rooms in src/: ARCHITECTURE.md draws the same table. */
const arrows: Record<string, readonly string[]> = {
  index: ['stash', 'errors'],
  cli: ['cli', 'stash', 'errors'],
  adapters: ['stash', 'entry', 'errors', 'own-clock'],
  stash: ['stash', 'postgres', 'coalescing', 'entry', 'errors', 'migrate-step', 'own-clock'],
  postgres: ['postgres', 'coalescing', 'entry', 'errors', 'migrate-step', 'own-clock', 'sql'],
  coalescing: ['coalescing', 'postgres', 'entry', 'errors', 'own-clock'],
  entry: ['entry', 'errors', 'own-clock'],
  errors: ['migrate-step'],
  'migrate-step': [],
  'own-clock': [],
}

/** What a room may use from outside the project. */
const packages: Record<string, readonly string[]> = {
  cli: ['commander', '@redis/client', '@electric-sql/pglite', 'node:readline/promises', 'node:fs'],
  postgres: ['pg', 'cockatiel', 'node:crypto', 'node:diagnostics_channel'],
  stash: ['node:diagnostics_channel'],
  entry: ['node:crypto', 'node:net', 'node:util/types'],
  'own-clock': ['node:perf_hooks', 'node:timers'],
  // The one host whose class has to be extended; EventEmitter is what the other's store extends.
  adapters: ['express-session', 'node:events'],
}

interface Import {
  readonly from: string
  readonly to: string
}

describe('architecture', () => {
  it('has only the arrows of the table', () => {
    expect(importsOf(sources()).flatMap(broken)).toEqual([])
  })

  it('has no cycle', () => {
    expect(cycleIn(importsOf(sources()))).toBeUndefined()
  })

  it('has no drawer for things without a name', () => {
    const names = Object.keys(sources()).filter((path) => /(^|[/-])(utils?|helpers?|common|misc)([./-]|$)/.test(path))
    expect(names).toEqual([])
  })

  it('keeps SQL out of TypeScript', () => {
    const sql =
      /\b(select\s.+\sfrom|insert into|update\s.+\sset|delete from|(create|alter|drop) (table|schema|function))\b/i
    const speaking = Object.entries(sources()).filter(([, text]) =>
      sql.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
    )
    expect(speaking.map(([path]) => path)).toEqual([])
  })

  it('names the broken arrow', () => {
    const planted = { ...sources(), 'src/entry/codec.ts': "import { PgDriver } from '../postgres/pg-driver'" }
    expect(importsOf(planted).flatMap(broken)).toEqual([
      'src/entry/codec.ts may not import src/postgres/pg-driver: entry -> postgres is not an arrow of the table',
    ])
    const cousin = { 'src/adapters/keyv/store.ts': "import { pgStore } from './cache-manager'" }
    expect(importsOf(cousin).flatMap(broken)).toEqual([
      'src/adapters/keyv/store.ts may not import src/adapters/cache-manager: adapters -> adapters is not an arrow of the table',
    ])
    const foreign = { 'src/stash/entries/cache.ts': "import Keyv from 'keyv'" }
    expect(importsOf(foreign).flatMap(broken)).toEqual(['src/stash/entries/cache.ts may not import the package keyv'])
  })

  it('names the cycle', () => {
    const planted = { 'src/stash/a.ts': "import './b'", 'src/stash/b.ts': "import './a'" }
    expect(cycleIn(importsOf(planted))).toEqual(['src/stash/a', 'src/stash/b', 'src/stash/a'])
  })
})

function sources(): Record<string, string> {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  )
  return Object.fromEntries(files.map((path) => [join('src', path), readFileSync(join(root, 'src', path), 'utf8')]))
}

function importsOf(files: Record<string, string>): Import[] {
  return Object.entries(files).flatMap(([path, text]) =>
    [...text.matchAll(/(?:^|\s)(?:from|import) ?\(?'([^']+)'/g)].map(([, to]) => ({
      from: path,
      to: resolved(path, to as string),
    })),
  )
}

function resolved(from: string, to: string): string {
  return to.startsWith('.') ? relative('.', normalize(join(from, '..', to))) : to
}

/** `src/stash/cache` is in the room stash; `src/index` and `src/errors` are rooms of one file; all of sql/ is one. */
function roomOf(path: string): string | undefined {
  if (path.startsWith('sql/')) return 'sql'
  return /^src\/([^/.]+)/.exec(path)?.[1]
}

/** `src/adapters/keyv-expiry` is part of keyv; `cache-manager-4` of cache-manager; the hosts of sessions share how they call back. */
function hostOf(path: string): string | undefined {
  return ['keyv', 'cache-manager', 'session'].find((host) =>
    new RegExp(`^src/adapters/(express-|fastify-)?${host}`).test(path),
  )
}

function broken({ from, to }: Import): string[] {
  const room = roomOf(from) as string
  const target = roomOf(to)
  if (target === undefined) {
    return packages[room]?.includes(to) ? [] : [`${from} may not import the package ${to}`]
  }
  if (arrows[room]?.includes(target)) return []
  // One adapter in several files (keyv, keyv-attachments, …) is still one adapter.
  if (room === 'adapters' && target === 'adapters' && hostOf(from) === hostOf(to)) return []
  return [`${from} may not import ${to}: ${room} -> ${target} is not an arrow of the table`]
}

/** Types count: a cycle of types is a cycle for its reader. */
function cycleIn(imports: readonly Import[]): string[] | undefined {
  const edges = new Map<string, string[]>()
  for (const { from, to } of imports) {
    const source = from.replace(/\.ts$/, '')
    edges.set(source, [...(edges.get(source) ?? []), to])
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
