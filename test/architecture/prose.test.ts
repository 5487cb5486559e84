import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesOf } from './tree'

const root = join(import.meta.dirname, '../..')
const pages = ['ARCHITECTURE.md', 'docs/guide/reasons.md', 'SECURITY.md', 'CONTRIBUTING.md']

/** Whatever is written as code and begins with a folder of ours. */
function pathsIn(text: string): string[] {
  const paths = [...text.matchAll(/`((?:src|sql|test|bench|build|docs|examples)\/[^`\s*{}…]*)`/g)].map(
    ([, path]) => path as string,
  )
  return [...new Set(paths)]
}

/** With or without the ending of a test or a source. */
const isThere = (path: string) => ['', '.ts', '.test.ts'].some((ending) => existsSync(join(root, path + ending)))
/** What a tool makes is not there before it has. */
const isMade = (path: string) => /\/(dist|\.out|api|cache)(\/|$)/.test(path)
const missingIn = (text: string) => pathsIn(text).filter((path) => !isThere(path) && !isMade(path))

describe('the pages about the code', () => {
  it.each(pages)('%s names only what is there', (page) => {
    expect(missingIn(readFileSync(join(root, page), 'utf8'))).toEqual([])
  })

  it('ARCHITECTURE.md names every room', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
    const isNamed = (room: string) => text.includes(`\`${room}\``) || inTheTable(text, room)
    const rooms = [...new Set(filesOf('src').map((path) => dirname(path)))].filter((room) => room !== 'src')
    expect(rooms.filter((room) => !isNamed(room))).toEqual([])
  })

  it('are told which path is not there', () => {
    expect(missingIn('See `src/stash/pg-stash.ts` and `src/stash/no-such-file.ts`.')).toEqual([
      'src/stash/no-such-file.ts',
    ])
  })
})

/** In the row of its floor: `limits` in that of `src/entry/`. */
function inTheTable(text: string, room: string): boolean {
  const row = text.split('\n').find((line) => line.startsWith(`| \`${dirname(room)}/\``))
  return row?.includes(`\`${basename(room)}\``) ?? false
}
