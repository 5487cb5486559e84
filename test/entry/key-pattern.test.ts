import { expect, it } from 'vitest'
import { keyPattern } from '../../src/entry/key-pattern'
import { describePostgres } from '../support/bodies'

/**
 * What `KEYS` of Redis 7.0 answered for these names, but for é and the emoji: Redis counts bytes, and its `?` matches neither.
 */
const names = [
  'a',
  'b',
  'ab',
  'abc',
  'a.c',
  'a*c',
  'a[c',
  'a]c',
  'a\\c',
  'a^c',
  'a-c',
  'aéc',
  'a🙂c',
  'a\nc',
  'h(ello',
  '$x',
  'a{2}',
  '',
]
const cases: [glob: string, matches: string[]][] = [
  ['*', names],
  ['a', ['a']],
  ['a?c', ['abc', 'a.c', 'a*c', 'a[c', 'a]c', 'a\\c', 'a^c', 'a-c', 'aéc', 'a🙂c', 'a\nc']],
  ['a*c', ['abc', 'a.c', 'a*c', 'a[c', 'a]c', 'a\\c', 'a^c', 'a-c', 'aéc', 'a🙂c', 'a\nc']],
  ['a.c', ['a.c']],
  ['a\\*c', ['a*c']],
  ['a\\[c', ['a[c']],
  ['a[b.]c', ['abc', 'a.c']],
  ['a[^b.]c', ['a*c', 'a[c', 'a]c', 'a\\c', 'a^c', 'a-c', 'aéc', 'a🙂c', 'a\nc']],
  ['a[a-z]c', ['abc']],
  ['a[z-a]c', ['abc']],
  ['a[\\]]c', ['a]c']],
  ['a[\\^]c', ['a^c']],
  ['a[b', ['ab']],
  ['[]*', []],
  ['h(*', ['h(ello']],
  ['$*', ['$x']],
  ['a{2}', ['a{2}']],
  ['', ['']],
]

describePostgres('key patterns', (body) => {
  it.each(cases)('%j matches as in Redis', async (glob, matches) => {
    const { expression, prefix } = keyPattern(glob)
    expect(matches.every((name) => name.startsWith(prefix))).toBe(true)
    const list = names.map((name) => `E'${name.replaceAll('\\', '\\\\')}'`).join(', ')
    const rows = await body.sql(`select n from unnest(array[${list}]) n where n collate "C" ~ $r$${expression}$r$`)
    expect(rows.map(([name]) => name)).toEqual(matches)
  })
})
