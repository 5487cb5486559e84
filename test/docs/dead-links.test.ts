import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deadLinks } from '../../build/docs/dead-links'
import { readPages } from '../../build/docs/page'

const root = join(import.meta.dirname, '../..')
const isThere = (path: string) => existsSync(join(root, path))

describe('links of the pages', () => {
  it('all lead somewhere', () => {
    expect(deadLinks(readPages(root), isThere)).toEqual([])
  })

  const planted = (text: string, more: Record<string, string> = {}) =>
    deadLinks(
      Object.entries({ 'docs/guide/a.md': text, ...more }).map(([path, words]) => ({ path, text: words })),
      (path) => path === 'docs/public/a.svg',
    )

  it('names a link to a file that is not there', () => {
    expect(planted('# A\n\nSee [b](b.md), ![a](../public/a.svg).')).toEqual([
      'docs/guide/a.md:3: b.md leads nowhere: there is no docs/guide/b.md',
    ])
    expect(planted('<img src="../public/b.svg">\n\n[b]: ../../B.md "B"')).toEqual([
      'docs/guide/a.md:1: ../public/b.svg leads nowhere: there is no docs/public/b.svg',
      'docs/guide/a.md:3: ../../B.md leads nowhere: there is no B.md',
    ])
  })

  it('names an anchor that the page does not have', () => {
    const other = {
      'docs/guide/b.md': '# B\n\n## What `set` costs, and when\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n',
    }
    expect(planted('[1](b.md#what-set-costs-and-when) [2](b.md#twice-1)', other)).toEqual([])
    expect(planted('[3](b.md#no-heading)\n[4](#nowhere)', other)).toEqual([
      'docs/guide/a.md:1: b.md#no-heading leads nowhere: docs/guide/b.md has no heading #no-heading',
      'docs/guide/a.md:2: #nowhere leads nowhere: docs/guide/a.md has no heading #nowhere',
    ])
  })

  it('names what is right on the site alone, or on GitHub alone', () => {
    expect(planted('[a](/guide/a)\n[b](../reference/api/index.md)')).toEqual([
      'docs/guide/a.md:1: /guide/a is a path of the site; link to the file, which GitHub follows too',
      'docs/guide/a.md:2: ../reference/api/index.md is not committed: on GitHub it leads nowhere',
    ])
  })

  it('names a dead button of the first page', () => {
    expect(planted('---\nhero:\n  actions:\n    - link: /guide/b\n    - link: /guide/a#start\n---\n# A\n')).toEqual([
      'docs/guide/a.md:4: /guide/b leads nowhere: there is no docs/guide/b.md',
      'docs/guide/a.md:5: /guide/a#start leads nowhere: docs/guide/a.md has no heading #start',
    ])
  })

  it('takes brackets in code for code', () => {
    expect(planted('`[a](b.md)` and ``[`c`](d.md)``\n\n```md\n[e](f.md)\n```\n')).toEqual([])
  })
})
