import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { deadBuiltLinks } from '../../build/docs/built-links'

/** `npm run docs` asks it of the whole site, which is not built here. */
it('names what leads nowhere in a built site', () => {
  const site = mkdtempSync(join(tmpdir(), 'pgstash-site-'))
  mkdirSync(join(site, 'guide'))
  writeFileSync(
    join(site, 'index.html'),
    '<a href="/guide/a.html#one">1</a> <a href="/guide/">2</a> <a href="https://x.test/y">3</a>',
  )
  writeFileSync(
    join(site, 'guide/a.html'),
    '<h1 id="one">1</h1> <img src="b.svg"> <a href="/guide/a.html#two">2</a> <a href="#three">3</a> <a href="../">4</a>',
  )
  expect(deadBuiltLinks(site).sort()).toEqual([
    'guide/a.html: #three leads to a page without that heading',
    'guide/a.html: /guide/a.html#two leads to a page without that heading',
    'guide/a.html: b.svg leads nowhere',
    'index.html: /guide/ leads nowhere',
  ])
})
