import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { undocumented } from '../../build/docs/docstrings'
import { errorsPage } from '../../build/docs/errors-page'
import { generatedPages, packageSurface } from '../../build/docs/generated-pages'
import { optionsPage } from '../../build/docs/options-page'
import { type Surface, surfaceOf } from '../../build/docs/surface'

const root = join(import.meta.dirname, '../..')

describe('the public surface', () => {
  let surface: Surface

  beforeAll(() => {
    surface = packageSurface(root)
  }, 120_000)

  it('has a docstring for each name and member', () => {
    expect(undocumented(surface)).toEqual([])
  })

  it('has a cause and a next step for each error code', () => {
    expect(errorsPage(surface).faults).toEqual([])
  })

  it('says of each option what it is, its default, and the unit of a number', () => {
    expect(optionsPage(surface).faults).toEqual([])
  })

  it('is what the generated pages say: `npm run docs:pages` writes them', () => {
    for (const [path, text] of Object.entries(generatedPages(surface)))
      expect(readFileSync(join(root, path), 'utf8'), path).toBe(text)
  })
})

describe('the checks of the public surface', () => {
  let planted: Surface

  beforeAll(() => {
    planted = surfaceOf(root, [{ name: 'pgstash', source: 'test/docs/planted/surface.ts' }])
  }, 120_000)

  it('name what has no docstring', () => {
    expect(undocumented(planted)).toEqual([
      'pgstash: bare (test/docs/planted/surface.ts:29)',
      'pgstash: PgStashError (test/docs/planted/surface.ts:3)',
      'pgstash: PgStashError.code (test/docs/planted/surface.ts:4)',
      'pgstash: LonelyError.field (test/docs/planted/surface.ts:15)',
      'pgstash: PgStashOptions.second (test/docs/planted/surface.ts:24)',
      'pgstash: PgStashOptions.third.inner (test/docs/planted/surface.ts:26)',
      'pgstash: Holder.open (test/docs/planted/surface.ts:38)',
    ])
  })

  it('name the code of an error that says no next step', () => {
    expect(errorsPage(planted).faults).toContain(
      'ERR_PGSTASH_LONELY (test/docs/planted/surface.ts:14) has no next step: a docstring with @nextStep, or an entry of codes-without-class.ts',
    )
  })

  it('name an option without a default, a unit or a word', () => {
    const named = optionsPage(planted).faults.filter((fault) => fault.startsWith('option'))
    expect(named).toEqual([
      'option first of `PgStash`: its docstring has no "Default: …"',
      'option second of `PgStash`: its docstring has a number without a unit',
      'option second of `PgStash`: its docstring has nothing but its default',
      'option third.inner of `PgStash`: its docstring has no "Default: …"',
      'option third.inner of `PgStash`: its docstring has nothing but its default',
    ])
  })
})
