import { basename, dirname, extname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokenBy, cycleIn, importsOf, roomOf, type Sources, sourcesIn } from './imports'
import { filesOf } from './tree'

const held = sourcesIn('src', 'bench', 'test/support')
const broken = (files: Sources) => importsOf(files).flatMap(brokenBy)

/** A dozen or so. Migrations become more and more, and are told apart by their numbers. */
const mostFiles = 14
const growing = ['sql/migrations']

describe('rooms', () => {
  it('have only the arrows of the table', () => {
    expect(broken(held)).toEqual([])
  })

  it('have no cycle, neither of files nor of rooms', () => {
    expect(cycleIn(importsOf(sourcesIn('src', 'bench', 'test')))).toBeUndefined()
    expect(cycleIn(importsOf(sourcesIn('src', 'bench')), roomOf)).toBeUndefined()
  })

  it('have a dozen files or so, and none that repeats the name of its room', () => {
    const files = filesOf('src', 'sql', 'bench', 'test')
    const rooms = [...new Set(files.map((path) => dirname(path)))].filter((room) => !growing.includes(room))
    const sizes = rooms.map((room) => [room, files.filter((path) => dirname(path) === room).length] as const)
    expect(sizes.filter(([, size]) => size > mostFiles)).toEqual([])
    expect(files.filter(repeatsItsRoom)).toEqual([])
  })

  it('are no drawers for things without a name', () => {
    const names = Object.keys(held).filter((path) => /(^|[/-])(utils?|helpers?|common|misc)([./-]|$)/.test(path))
    expect(names).toEqual([])
  })

  it('keep SQL out of TypeScript', () => {
    const sql =
      /\b(select\s.+\sfrom|insert into|update\s.+\sset|delete from|(create|alter|drop) (table|schema|function))\b/i
    const speaking = Object.entries(sourcesIn('src')).filter(([, text]) =>
      sql.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
    )
    expect(speaking.map(([path]) => path)).toEqual([])
  })
})

describe('the check', () => {
  it('names the broken arrow', () => {
    expect(broken({ 'src/entry/codec.ts': "import { PgDriver } from '../postgres/wire/pg/driver'" })).toEqual([
      'src/entry/codec may not import src/postgres/wire/pg/driver: src/entry -> src/postgres/wire/pg is not an arrow of the table',
    ])
    expect(broken({ 'src/coalescing/lane.ts': "import { isLost } from '../postgres/wire/transient-failure'" })).toEqual(
      [
        'src/coalescing/lane may not import src/postgres/wire/transient-failure: src/coalescing -> src/postgres/wire is not an arrow of the table',
      ],
    )
    expect(broken({ 'src/adapters/keyv/store.ts': "import { pgStore } from '../cache-manager/store'" })).toEqual([
      'src/adapters/keyv/store may not import src/adapters/cache-manager/store: src/adapters/keyv -> src/adapters/cache-manager is not an arrow of the table',
    ])
    expect(broken({ 'src/stash/entries/cache.ts': "import Keyv from 'keyv'" })).toEqual([
      'src/stash/entries/cache may not import the package keyv',
    ])
    expect(broken({ 'bench/measuring/measure.ts': "import { picture } from '../report/picture'" })).toEqual([
      'bench/measuring/measure may not import bench/report/picture: bench/measuring -> bench/report is not an arrow of the table',
    ])
    expect(broken({ 'test/support/sleep.ts': "import '../conformance/cache.test'" })).toEqual([
      'test/support/sleep may not import test/conformance/cache.test: test/support -> test/conformance is not an arrow of the table',
    ])
    expect(broken({ 'src/adapters/prometheus.ts': "import './nestjs-throttler'" })).toEqual([
      'src/adapters/prometheus may not import src/adapters/nestjs-throttler: src/adapters -> src/adapters is not an arrow of the table',
    ])
  })

  it('names the cycle, of files and of rooms', () => {
    const files = { 'src/stash/a.ts': "import './b'", 'src/stash/b.ts': "import './a'" }
    expect(cycleIn(importsOf(files))).toEqual(['src/stash/a', 'src/stash/b', 'src/stash/a'])
    const rooms = { 'src/stash/limits/a.ts': "import '../b'", 'src/stash/c.ts': "import './limits/d'" }
    expect(cycleIn(importsOf(rooms), roomOf)).toEqual(['src/stash/limits', 'src/stash', 'src/stash/limits'])
  })

  it('names the file that repeats its room', () => {
    expect(['src/stash/doctor/doctor-schema.ts', 'src/stash/doctor/schema.ts'].filter(repeatsItsRoom)).toEqual([
      'src/stash/doctor/doctor-schema.ts',
    ])
  })
})

/** A stash is what that floor is about, not a subject that has rooms on all of them. */
const floors: readonly string[] = ['stash', 'sql']

/** As a word of its name: `sessions/sessions.ts`, `doctor/doctor-schema.ts`. */
function repeatsItsRoom(path: string): boolean {
  const room = basename(dirname(path))
  const words = basename(path, extname(path))
    .replace(/\.(test|d)$/, '')
    .split('-')
  return !floors.includes(room) && words.includes(room)
}
