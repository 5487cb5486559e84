import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cellOf, type MarkdownTable, tablesOf, withoutTables } from '../support/markdown'

const root = join(import.meta.dirname, '../..')
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')

/** What was measured. Every other page repeats it. */
const bench = textOf('bench/README.md')
const measured = tablesOf(bench)

const figure = /\d[\d,]*(?:\.\d+)*/g
const figuresIn = (text: string) => text.match(figure) ?? []

/** In the only table that has such a row and column. */
function reached(row: string, column = 'reached'): string {
  const cells = measured.map((table) => cellOf(table, row, column)).filter((cell) => cell !== undefined)
  expect(cells, `bench/README.md: ${row}, ${column}`).toHaveLength(1)
  return figuresIn(cells[0] as string)[0] as string
}

/** The figures of a sentence, in their order. */
function told(text: string, sentence: RegExp): string[] {
  return (text.match(sentence) ?? []).slice(1)
}

/** Logged, and unlogged. */
function overFlexible(hits: string): string[] {
  const row = `hits on ${hits}, over rate-limiter-flexible (logged; unlogged)`
  return figuresIn(measured.map((table) => cellOf(table, row, 'reached')).join(''))
}

const sweepRow = 'rows a second, 1,000,000 expired among 1,000,000 live, beside 16 callers'
const number = '(\\d[\\d,]*(?:\\.\\d+)?)'
const saying = (text: string) => new RegExp(text.replaceAll('#', number))

/** What prose says of figures, and what they are. */
const claims: Record<string, readonly (readonly [says: RegExp, are: () => readonly string[]])[]> = {
  'README.md': [
    [
      saying('get and touch #, get and set # times as fast as connect-pg-simple'),
      () => ['get and touch', 'get and set'].map((verbs) => reached(`${verbs} of a session, over connect-pg-simple`)),
    ],
    [
      saying(
        '# times as fast as rate-limiter-flexible on PostgreSQL over 1,000 keys, # times on one hot key\\s+\\(# and # where',
      ),
      () => [0, 1].flatMap((at) => ['1,000 keys', 'one hot key'].map((hits) => overFlexible(hits)[at] as string)),
    ],
    [
      saying('; # and # times rate-limit-redis'),
      () => ['1,000 keys', 'one hot key'].map((hits) => reached(`hits on ${hits}, over rate-limit-redis`)),
    ],
    [saying('removes # rows a second beside 16 callers'), () => [reached(sweepRow)]],
  ],
  'docs/guide/benchmarks.md': [
    [
      saying('read # times and wrote # times as fast as with it'),
      () => ['get', 'set'].map((verb) => reached(`${verb}, 64 callers, unlogged, over pgstash, rls`)),
    ],
    [
      saying('read # times as fast as with keys'),
      () => [reached('get, 64 callers, unlogged, over pgstash, 50 tenants')],
    ],
    [
      saying('`clear\\(\\)` of 1,000,000 entries takes # of'),
      () => [reached('clear() of 1000000 entries, over clear() of 10')],
    ],
    [
      saying('the table was # times its size, and # of the updates were HOT'),
      () => [
        reached('table after ten overwrites of every key, over fresh'),
        reached('HOT updates among overwrites with moving expiries'),
      ],
    ],
    [
      saying('after 5,000,000 operations was # of'),
      () => [reached('heap after 5000000 operations (14.3 MiB), over the heap after a tenth of them')],
    ],
    [
      saying(
        "it removed # rows a second; the longest of its steps took # ms, and the p99 of the callers' reads was # times",
      ),
      () => [
        reached(sweepRow),
        reached('its longest step (a claim and a sweep of at most 2 MiB), ms'),
        reached('p99 of get, 16 callers, during that sweep, over idle'),
      ],
    ],
    [
      saying('over the second: heap #, connections #, tables with indexes #\\.'),
      () => told(bench, saying('over the second, heap #, connections #, tables with indexes #;')),
    ],
    [saying('which had # operations a second'), () => told(bench, saying('10 users: [^|]*over #'))],
    [saying('Of # targets for entries # were not met'), () => [entryTargets(/met/), entryTargets(/not met/)]],
    [
      saying('hits on 1,000 keys reached # of rate-limit-redis, of at least #\\.'),
      () => [
        reached('hits on 1,000 keys, over rate-limit-redis'),
        reached('hits on 1,000 keys, over rate-limit-redis', 'target'),
      ],
    ],
  ],
  'docs/guide/when-not.md': [
    [
      saying('reached # of the reads and # of the writes of Redis'),
      () => ['get', 'set'].map((verb) => reached(`${verb}, 64 callers, unlogged, over @keyv/redis`)),
    ],
    [saying('# ms at the median'), () => [reached('get, 1 caller', 'p50 / p99, ms')]],
  ],
}

/** How many targets of the table of entries had such a verdict. */
function entryTargets(verdict: RegExp): string {
  const targets = measured.find((table) => table.header.join() === 'what,reached,target,') as MarkdownTable
  return String(targets.rows.filter((row) => verdict.test(row[3] as string)).length)
}

/** The part of a page that tells figures. */
const partOf = (path: string, text: string) =>
  path === 'README.md' ? text.slice(text.indexOf('\n## How fast'), text.indexOf('\n## What is durable')) : text

describe.each(Object.keys(claims))('%s', (path) => {
  const part = partOf(path, textOf(path)).replaceAll(/```[\s\S]*?```/g, '')
  const pageClaims = claims[path] as NonNullable<(typeof claims)[string]>

  it.each(pageClaims)('says what was measured: %s', (says, are) => {
    expect(part).toMatch(says)
    expect(told(part, says)).toEqual(are())
  })

  // Of a page with other numbers too, the claims are enough.
  if (path === 'docs/guide/when-not.md') return

  it('has no figure that bench/README.md has not', () => {
    for (const { header, rows } of tablesOf(part)) {
      for (const [label, ...cells] of rows) {
        cells.forEach((cell, at) => {
          const column = header[at + 1] as string
          const original = measured.map((table) => cellOf(table, label as string, column) ?? '').join(' ')
          expect(figuresIn(original), `${label}, ${column}`).toEqual(expect.arrayContaining(figuresIn(cell)))
        })
      }
    }
    const prose = pageClaims.reduce((text, [says]) => text.replace(says, ''), withoutTables(part))
    // The settings: "64 callers", "PostgreSQL 15.20".
    const alone = [...prose.matchAll(/(\S+ )?v?\d[\d,]*(?:\.\d+)*( [a-zA-Z]+)?/g)].filter(
      ([text, before = '', after = '']) => {
        const bare = text.slice(before.length, text.length - after.length)
        return !bench.includes(bare + after) && !bench.includes(before + bare)
      },
    )
    expect(alone.map(([text]) => text)).toEqual([])
  })
})

it('the benchmarks tell every target of entries that was not met', () => {
  const [missed] = tablesOf(textOf('docs/guide/benchmarks.md')).filter(({ header }) => header.includes('target'))
  const targets = measured.find(({ header }) => header.join() === 'what,reached,target,')
  expect(missed?.rows).toEqual(
    targets?.rows.filter(([, , , verdict]) => verdict === 'not met').map((row) => row.slice(0, 3)),
  )
})

it('the picture shows the figures of the table', () => {
  const texts = [...textOf('docs/public/benchmark.svg').matchAll(/>([^<>\n]+)</g)].map(([, text]) => text as string)
  for (const [label, ours, , ...others] of (measured[0] as MarkdownTable).rows as [string, ...string[]][]) {
    const at = texts.indexOf(label)
    const operations = [ours as string, ...others].map((cell) => figuresIn(cell)[0])
    expect(new Set(texts.slice(at + 1, at + 5)), label).toEqual(new Set(operations))
  }
})
