import { expect, it } from 'vitest'
import { Import, type ImportOptions } from '../../../src/stash/import/job'
import { fidelityOf } from '../../../src/stash/import/json'
import type { ImportSource, SourceEntry } from '../../../src/stash/import/source'
import type { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { describeBodies } from '../../support/bodies'

/** One page of what is given. */
function sourceOf(entries: readonly SourceEntry[]): ImportSource {
  return {
    name: 'memory',
    secret: 'none',
    notes: [],
    epoch: async () => 'now',
    size: async () => entries.length,
    async *pages() {
      yield { entries, skipped: [], readAt: performance.now(), next: undefined }
    },
    close: async () => {},
  }
}

const entry = (key: string, value: string | Buffer, ttl: number | null = null): SourceEntry => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  ttl,
})

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

/** As JSON.parse and JSON.stringify keep them. */
const exact = [
  ['{"a":1}', { a: 1 }],
  [' {"a" : [1.10, 2e3, -0.5, 1E-7]}\n', { a: [1.1, 2000, -0.5, 1e-7] }],
  ['[9007199254740991,-9007199254740992,5e-324,1.7976931348623157e308]', undefined],
  ['{"a":{"x":1},"b":{"x":2}}', { a: { x: 1 }, b: { x: 2 } }],
  ['["a","a"]', ['a', 'a']],
  ['{"a":"\\"a\\":1","b\\\\":2}', { a: '"a":1', 'b\\': 2 }],
  ['"\\ud800 half"', '\ud800 half'],
  ['"nul \\u0000"', 'nul \0'],
  ['{"s":"\\ud800"}', { s: '\ud800' }],
  ['{"__proto__":1}', undefined],
  ['-0', -0],
  ['0.0', 0],
  ['5', 5],
  ['1.5', 1.5],
  ['null', null],
  ['true', true],
  ['{}', {}],
  [nested(1_000), undefined],
] as const

const inexact = [
  '12345678901234567890',
  '9007199254740993',
  '{"id":12345678901234567890}',
  '[0.1000000000000000055]',
  '3.14159265358979323846',
  '{"a":1,"a":2}',
  '{"a":{"b":1,"\\u0062":2}}',
  '[{"k":1},{"k":1,"x":"}","k":2}]',
]

const noJson = [
  '1e999',
  '-1e999',
  '{"a":1e999}',
  '[1e-999]',
  nested(1_001),
  nested(200_000),
  `[0.${'1'.repeat(2_000)}]`,
  '{oops',
  '',
  '01',
  'NaN',
  "{'a':1}",
]

it('tells what JavaScript keeps of a JSON text', () => {
  expect(exact.map(([text]) => fidelityOf(text))).toEqual(exact.map(() => 'exact'))
  expect(inexact.map(fidelityOf)).toEqual(inexact.map(() => 'inexact'))
})

describeBodies('what an import makes of values', (body) => {
  let stash: PgStash
  const run = (entries: readonly SourceEntry[], options: Omit<ImportOptions, 'values'> & Partial<ImportOptions>) =>
    new Import(stash, sourceOf(entries), { values: 'text', ...options }).run()

  it('keeps JSON as it was written, and counts what JavaScript does not keep of it', async () => {
    stash = body.open()
    const texts = [...exact.map(([text]) => text), ...inexact, ...noJson]
    const tally = await run(
      texts.map((text, n) => entry(`k${n}`, text)),
      { namespace: 'n', values: 'json' },
    )
    expect(tally).toMatchObject({ read: texts.length, written: texts.length, inexact: inexact.length, skipped: {} })
    expect(tally.notJson).toBe(noJson.length)

    const cache = stash.namespace('n')
    const values = await cache.getMany(texts.map((_, n) => `k${n}`))
    for (const [n, text] of texts.entries()) {
      const isJson = n < exact.length + inexact.length
      expect(values[n], text.slice(0, 50)).toEqual(isJson ? JSON.parse(text) : text)
    }
    for (const [n, [, value]] of exact.entries()) if (value !== undefined) expect(values[n]).toEqual(value)
    expect(Object.is(values[exact.findIndex(([text]) => text === '-0')], -0)).toBe(true)
    expect(await cache.increment(`k${exact.findIndex(([text]) => text === '5')}`)).toBe(6)

    const rows = await body.sql(`select key, value from "${stash.schema}".entry where namespace = 'n'`)
    const stored = new Map(rows as [string, string][])
    for (const [n, text] of inexact.entries()) expect(stored.get(`k${exact.length + n}`)).toBe(text)
    expect(stored.get('k1')).toBe(exact[1][0])
  })

  it('says in a dry run what a run would', async () => {
    const some = [
      entry('a', '{"a":1,"a":2}'),
      entry('b', '{oops'),
      entry('nul\0', '1'),
      entry('c', '5'),
      entry('gone', '5', 0.0001),
      { key: Buffer.from([0xff]), value: 'x', ttl: null },
      entry('large', 'x'.repeat(2_000)),
    ]
    stash = body.open({ maxValueBytes: 1_000 })
    const options = { namespace: 'n', values: 'json' } as const
    const would = await run(some, { ...options, dryRun: true })
    const did = await run(some, options)
    for (const name of ['read', 'written', 'skipped', 'notJson', 'inexact'] as const)
      expect(did[name], name).toEqual(would[name])
    expect(did).toMatchObject({ read: 7, written: 3, notJson: 1, inexact: 1 })
    expect(did.skipped).toEqual({ expired: 1, 'key-not-utf8': 1, 'key-unfit': 1, 'value-too-large': 1 })
    expect((await run(some, { ...options, ifAbsent: true })).skipped).toMatchObject({ present: 3 })
  })

  it('takes any life that Redis can give', async () => {
    stash = body.open()
    const longest = 2 ** 62
    expect((await run([entry('a', 'v', longest), entry('b', 'v', 50_000.5)], { namespace: 'n' })).written).toBe(2)
    expect(await stash.namespace('n').ttl('a')).toBeGreaterThan(1e15)
    expect(await stash.namespace('n').ttl('b')).toBeLessThanOrEqual(50_001)
  })

  const session = (more: object, cookie: object = { originalMaxAge: 60_000, expires: '2020-01-01T00:00:00.000Z' }) =>
    JSON.stringify({ cookie, ...more })

  it('gives sessions the life of their key, and their user', async () => {
    stash = body.open()
    const browser = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
    const sessions = [
      entry('sess:ada', session({ passport: { user: 7 }, n: 1 }), 600_000),
      entry('sess:bob', session({ passport: { user: 'bob' } }, browser), 500_000),
      entry('sess:nobody', session({}), 400_000),
      entry('sess:for ever', session({ passport: {} }, browser)),
      entry('sess:brief', session({}, { ...browser, expires: new Date(Date.now() + 300_000) })),
    ]
    const unfit = [
      entry('sess:past', session({})),
      entry('sess:object', session({ passport: { user: { id: 7 } } }), 1_000),
      entry('sess:empty', session({ passport: { user: '' } }), 1_000),
      entry('sess:infinite', session({}).replace('}}', '},"n":1e999}'), 1_000),
      entry('sess:text', 'text', 1_000),
      entry('sess:array', '[{"cookie":{}}]', 1_000),
      entry('sess:no cookie', '{"user":7}', 1_000),
      entry('sess:bytes', Buffer.from([0xff]), 1_000),
      entry('sess:nul\0', session({}), 1_000),
      entry('other', session({}), 1_000),
    ]
    const options = { as: 'sessions', userField: 'passport.user' } as const
    const counts = {
      read: 15,
      written: 5,
      withUser: 2,
      skipped: { expired: 1, 'key-unfit': 1, 'no-session': 4, 'other-prefix': 1, 'user-unfit': 2, 'value-unfit': 1 },
    }
    expect(await run([...sessions, ...unfit], { ...options, dryRun: true })).toMatchObject(counts)
    const stored = new Sessions({ stash, userId: (data) => (data.passport as { user?: string } | undefined)?.user })
    expect(await stored.length()).toBe(0)
    const tally = await run([...sessions, ...unfit], options)
    expect(tally).toMatchObject(counts)
    expect(tally.skipped).toEqual(counts.skipped)

    const ada = await stored.get('ada')
    expect(ada).toMatchObject({ n: 1, cookie: { originalMaxAge: 60_000 } })
    const left = (of: typeof ada) => new Date(of?.cookie?.expires as string).getTime() - Date.now()
    expect(left(ada)).toBeGreaterThan(500_000)
    expect(left(ada)).toBeLessThanOrEqual(600_000)
    expect((await stored.get('bob'))?.cookie).toEqual(browser)
    expect(left(await stored.get('brief'))).toBeLessThanOrEqual(300_000)
    const rows = await body.sql(
      `select id, expires_at - "${stash.schema}".now_ms() as left_ms from "${stash.schema}".session`,
    )
    const lives = Object.fromEntries(rows.map(([id, left]) => [id, Number(left)]))
    expect(lives.bob).toBeGreaterThan(400_000)
    expect(lives.bob).toBeLessThanOrEqual(500_000)
    expect(lives['for ever']).toBeGreaterThan(86_000_000)
    expect((await stored.listByUser(7)).map(({ id }) => id)).toEqual(['ada'])
    expect(await stored.destroyByUser('bob')).toBe(1)

    const kept = await run(sessions, { ...options, ifAbsent: true })
    expect(kept).toMatchObject({ written: 1, skipped: { present: 4 } })
  })
})
