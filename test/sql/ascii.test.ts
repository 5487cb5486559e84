import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { printSchema } from '../../src/stash/schema-script'

const root = join(import.meta.dirname, '../..')
const beyondAscii = /[^\n\x20-\x7e]/u

function sourcesIn(directory: string, ending: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(directory, name))
}

const linesOf = (path: string) => readFileSync(join(root, path), 'utf8').split('\n')

it('SQL is ASCII, comments too: a database in another encoding than UTF8 could not take it', () => {
  const wrong = sourcesIn('sql', '.sql').flatMap((path) =>
    linesOf(path).flatMap((line, at) => (beyondAscii.test(line) ? [`${path}:${at + 1}: ${line}`] : [])),
  )
  expect(wrong).toEqual([])
})

it('so are the scripts that are printed', () => {
  const script = printSchema({ isolation: 'rls', appRole: 'app', unlogged: true, loggedCounters: true })
  expect(script.split('\n').filter((line) => beyondAscii.test(line))).toEqual([])
})
