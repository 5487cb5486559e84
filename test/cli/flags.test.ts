import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { rounds } from '../support/depth'
import { freshName, pgstash, type Run } from './pgstash'

/** In a database of its own: a schema by any name may be made in it. */
const database = freshName()
const url = () => inject('postgresUrl').replace(/[^/]*$/, database)
let admin: pg.Pool
let stash: PgStash

beforeAll(async () => {
  admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
  await admin.query(`create database ${database}`)
  stash = new PgStash({ connectionString: url(), sweeper: false })
  await stash.tenant('canary').namespace('cage').set('bird', 'sings')
})

afterAll(async () => {
  await stash.close()
  await admin.query(`drop database ${database} with (force)`)
  await admin.end()
})

const evil = [
  '',
  ' ',
  '-',
  '--',
  '-1',
  '0',
  '1',
  '2.5',
  'NaN',
  'Infinity',
  '1e9',
  '0x10',
  '9007199254740993',
  'true',
  'null',
  '__proto__',
  'public',
  'pg_catalog',
  'Pgstash',
  '"',
  "'",
  "'; drop schema pgstash cascade; --",
  '"; drop table pgstash.entry; --',
  '$1',
  '%',
  '%s',
  '%00',
  '*',
  '../../etc/passwd',
  '\x1b[31mred',
  'a\nb',
  '💥',
  'é'.repeat(300),
  'x'.repeat(5_000),
  '--yes',
  '--json',
  'rls',
  'column',
]
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...evil) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')) },
)
const address = value.map((text) => (text.length % 2 === 0 ? text : `postgres://127.0.0.1:1/${text}`))

const flag = (name: string, values: fc.Arbitrary<string> = value) => values.map((text): string[] => [name, text])
const bare = (name: string) => fc.constant<string[]>([name])
const everywhere = [flag('--url', address), flag('--schema'), bare('--json'), value.map((text): string[] => [text])]

const flagsOf: Record<string, fc.Arbitrary<string[]>[]> = {
  migrate: [
    bare('--check'),
    bare('--print'),
    flag('--from'),
    flag('--isolation'),
    flag('--app-role'),
    bare('--unlogged'),
    bare('--logged-counters'),
  ],
  stats: [flag('--tenant'), flag('--namespace'), bare('--exact'), flag('--watch'), flag('--isolation')],
  import: [
    flag('--from'),
    flag('--table'),
    flag('--match'),
    flag('--namespace'),
    flag('--tenant'),
    flag('--strip-prefix'),
    flag('--values'),
    flag('--batch'),
    flag('--isolation'),
    bare('--dry-run'),
    bare('--if-absent'),
    bare('--restart'),
    bare('--yes'),
  ],
  cleanup: [bare('--dry-run')],
  clear: [
    flag('--tenant'),
    flag('--namespace'),
    flag('--namespace-version'),
    flag('--tag'),
    bare('--sessions'),
    bare('--rate-limits'),
    bare('--dry-run'),
    bare('--yes'),
  ],
  test: [flag('--isolation')],
  doctor: [flag('--isolation'), flag('--pool'), flag('--processes')],
}

const line = fc.constantFrom(...Object.keys(flagsOf)).chain((command) => {
  const flags = fc.oneof(
    ...(flagsOf[command] as fc.Arbitrary<string[]>[]),
    ...(flagsOf[command] as fc.Arbitrary<string[]>[]),
    ...everywhere,
  )
  return fc.array(flags, { maxLength: 4 }).map((given) => [command, ...given.flat()])
})

/** What a user must never see. (A line of SQL may begin with "at", a column; one of a stack ends with a position.) */
const raw = /\n\s+at .*:\d+:\d+\)?\n|node:internal|file:\/\/|error: |Error:|ERR_PGSTASH_UNEXPECTED/

function problemOf({ code, stdout, stderr }: Run): string | undefined {
  if (code !== 0 && code !== 1 && code !== 2) return `exit code ${code}`
  if (raw.test(stderr) || raw.test(stdout)) return `raw: ${stderr}`
  if (code === 2 && !/^(ERR_PGSTASH_\w+: |Usage)/.test(stderr)) return `no reason: ${stderr}`
  return undefined
}

/** A live screen ends when it is told to. */
function run(args: readonly string[]): Promise<Run> {
  return pgstash(args, { url: url(), interruptOn: args.includes('--watch') ? 'entries' : undefined })
}

describe('any flags at all', () => {
  it('are run, or refused in a line, and the canary sings', { timeout: 120_000 }, async () => {
    const batch = fc.array(line, { minLength: 6, maxLength: 6 })
    const property = fc.asyncProperty(batch, async (lines) => {
      const runs = await Promise.all(lines.map(run))
      const problems = runs
        .map((run, at) => ({ args: lines[at], problem: problemOf(run) }))
        .filter(({ problem }) => problem)
      expect(problems).toEqual([])
      expect(await stash.tenant('canary').namespace('cage').get('bird')).toBe('sings')
    })
    await fc.assert(property, { numRuns: rounds({ shallow: 4, deep: 15 }), endOnFailure: true })
  })
})
