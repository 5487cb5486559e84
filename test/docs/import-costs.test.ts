import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { entryPoints } from '../../build/docs/entry-points'
import { kilobytesOnPage } from '../../build/docs/import-costs'
import { loadedBy } from '../../build/docs/loaded-chunks'

const root = join(import.meta.dirname, '../..')
const entries = entryPoints(root)

/** Rooms, on whatever floor, by the name of their folder; adapters by theirs, or by that of their file. */
const rooms = [
  'sessions',
  'limits',
  'locks',
  'doctor',
  'import',
  'self-test',
  'cli',
  'upkeep',
  'entries',
  'wire',
  'schema',
] as const
type Room = (typeof rooms)[number]

const stash: readonly Room[] = ['upkeep', 'entries', 'wire', 'schema']

/** What an import may load: nothing but what is named here, and its own adapter. */
const allowed: Readonly<
  Record<string, { readonly rooms: readonly Room[]; readonly adapter?: RegExp; readonly packages?: readonly string[] }>
> = {
  pgstash: { rooms: [...stash, 'sessions', 'limits'] },
  'pgstash/keyv': { rooms: stash, adapter: /^keyv\// },
  'pgstash/cache-manager': { rooms: stash, adapter: /^cache-manager\// },
  'pgstash/express-session': {
    rooms: [...stash, 'sessions'],
    adapter: /^sessions\/(express|callbacks)/,
    packages: ['express-session'],
  },
  'pgstash/fastify-session': { rooms: [...stash, 'sessions'], adapter: /^sessions\/(fastify|callbacks)/ },
  'pgstash/express-rate-limit': { rooms: [...stash, 'limits'], adapter: /^express-rate-limit/ },
  'pgstash/fastify-rate-limit': { rooms: [...stash, 'limits'], adapter: /^fastify-rate-limit/ },
  'pgstash/nestjs-throttler': { rooms: [...stash, 'limits'], adapter: /^nestjs-throttler/ },
  'pgstash/prometheus': { rooms: [], adapter: /^prometheus/ },
  'pgstash/opentelemetry': { rooms: [], adapter: /^opentelemetry/ },
}

/** Of Node, and of this package's dependencies. */
const everybodys = /^(pg|cockatiel|(node:)?(crypto|diagnostics_channel|events|net|perf_hooks|timers|util\/types))$/

function strangers(
  name: string,
  { sources, packages }: { sources: readonly string[]; packages: readonly string[] },
): string[] {
  const rule = allowed[name] ?? { rooms: [] }
  const barred = rooms.filter((room) => !rule.rooms.includes(room))
  return [
    ...sources.filter((source) => isBarred(source, barred, rule.adapter)),
    ...packages.filter((one) => !everybodys.test(one) && !rule.packages?.includes(one)),
  ]
}

function isBarred(source: string, barred: readonly Room[], adapter: RegExp | undefined): boolean {
  const [, inAdapters] = /^src\/adapters\/(.*)/.exec(source) ?? []
  if (inAdapters !== undefined) return adapter?.test(inAdapters) !== true
  // A migration makes the tables of all; the sweep of a stash removes what is expired of all.
  return barred.some((room) => source.split('/').slice(0, -1).includes(room))
}

/** What the built package loads: after `npm run build`. */
describe('an import', () => {
  it('is in the table, whatever package.json exports', () => {
    expect(entries.map(({ name }) => name).sort()).toEqual(Object.keys(allowed).sort())
  })

  it.each(entries)('of $name loads what it needs and nothing else', ({ name, built }) => {
    const loaded = loadedBy(join(root, built))
    expect(loaded.sources.length).toBeGreaterThan(3)
    expect(strangers(name, loaded)).toEqual([])
  })

  it('is named with what does not belong', () => {
    const directory = mkdtempSync(join(tmpdir(), 'pgstash-chunks-'))
    writeFileSync(
      join(directory, 'keyv.js'),
      '// src/adapters/keyv/store.ts\nimport {\n  a\n} from "./chunk.js";\nawait import("./later.js");\n',
    )
    writeFileSync(
      join(directory, 'chunk.js'),
      'import "ioredis";\nimport pg from "pg";\n// sql/statements/sessions/own/read.sql\n// src/stash/limits/denials.ts\n// src/adapters/prometheus.ts\n// src/entry/key.ts\n',
    )
    expect(strangers('pgstash/keyv', loadedBy(join(directory, 'keyv.js')))).toEqual([
      'sql/statements/sessions/own/read.sql',
      'src/adapters/prometheus.ts',
      'src/stash/limits/denials.ts',
      'ioredis',
    ])
  })

  it('costs about as many kilobytes as the page says: `npm run docs:costs` measures anew', () => {
    const told = kilobytesOnPage(readFileSync(join(root, 'docs/reference/import-costs.md'), 'utf8'))
    for (const { name, built } of entries) {
      const kilobytes = loadedBy(join(root, built)).bytes / 1_000
      expect(told[name], name).toBeGreaterThan(kilobytes * 0.9)
      expect(told[name], name).toBeLessThan(kilobytes * 1.1)
    }
  })
})
