import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandFaults, commandLine } from '../../build/docs/commands'
import { fencesOf, readPages } from '../../build/docs/page'

const root = join(import.meta.dirname, '../..')

/** Against the built command line: after `npm run build`. */
describe('commands in the pages', () => {
  const commands = commandLine(join(root, 'dist/cli/main.js'))

  it('are there, with the flags they are given', () => {
    expect(commands.get('import')).toContain('--user-field')
    expect(commandFaults(commands, readPages(root).flatMap(fencesOf))).toEqual([])
  })

  it('are named where they are not', () => {
    const text =
      '```sh\nnpx pgstash migrate --print | psql --nothing\nnpx pgstash swep\nnpx pgstash import \\\n  --form redis://localhost\n```\n'
    expect(commandFaults(commands, fencesOf({ path: 'docs/guide/planted.md', text }))).toEqual([
      'docs/guide/planted.md:3: pgstash has no command swep',
      'docs/guide/planted.md:4: pgstash import has no flag --form',
    ])
  })
})
