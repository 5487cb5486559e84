import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokenJson, modulesOf, unknownLanguages } from '../../build/docs/code-blocks'
import { fencesOf, readPages } from '../../build/docs/page'
import { typeFaults } from '../../build/docs/type-check'

const root = join(import.meta.dirname, '../..')
const fences = readPages(root).flatMap(fencesOf)

const planted = (text: string) => fencesOf({ path: 'docs/guide/planted.md', text })

/** Against the built package: after `npm run build`. */
describe('blocks of code in the pages', () => {
  it('are all in a language that something looks at', () => {
    expect(unknownLanguages(fences)).toEqual([])
    expect(unknownLanguages(planted('# A\n\n```python\nprint(1)\n```\n'))).toEqual([
      'docs/guide/planted.md:4: nothing checks a block of python',
    ])
  })

  it('hold JSON where they say so', () => {
    expect(brokenJson(fences)).toEqual([])
    expect(brokenJson(planted('```json\n{ "a": 1, }\n```\n'))).toEqual([
      expect.stringMatching(/^docs\/guide\/planted\.md:2: .*JSON/),
    ])
  })

  it('compile', () => {
    expect(typeFaults(root, modulesOf(fences))).toEqual([])
  }, 120_000)

  it('are named where they do not compile', () => {
    const text = [
      '# Planted',
      "```js\nawait stash.namespace('a').set('k', 1, { tll: 5 })\n```",
      "```ts\nimport { PgStash } from 'pgstash'\nconst stash: PgStash = 1\n```",
      '<!-- given: keyv@6 fastify -->\n```js\nimport { Keyv } from "keyv"\nfastify.get(new Keyv())\n```',
      '```js\nconst first = 1\n```\n<!-- given: above -->\n```js\n/** @type {string} */ const second = first\n```',
      '```js\n// before        // after\nconst a = 1      const b = 2\na.nothing        b.nowhere\n```',
    ].join('\n\n')
    expect(typeFaults(root, modulesOf(planted(text)))).toEqual([
      expect.stringMatching(/^docs\/guide\/planted\.md:4: TS2353: .*'tll' does not exist in type 'SetOptions'/),
      expect.stringMatching(/^docs\/guide\/planted\.md:9: TS2322: Type 'number' is not assignable to type 'PgStash'/),
      expect.stringMatching(/^docs\/guide\/planted\.md:15: TS/),
      expect.stringMatching(/^docs\/guide\/planted\.md:23: TS2322/),
      expect.stringMatching(/^docs\/guide\/planted\.md:29: TS2339: Property 'nothing'/),
      expect.stringMatching(/^docs\/guide\/planted\.md:29: TS2339: Property 'nowhere'/),
    ])
  }, 120_000)

  it('are named where what they are given is not there', () => {
    expect(typeFaults(root, modulesOf(planted('<!-- given: koa -->\n```js\napp.use(1)\n```\n')))).toEqual([
      'docs/guide/planted.md:3: there is no build/docs/given/koa.d.ts',
    ])
  })

  it('take no package for absent that is installed here', () => {
    const absent = readFileSync(join(root, 'build/docs/given/absent.d.ts'), 'utf8')
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const names = [...absent.matchAll(/declare module '([^']+)'/g)].map(([, name]) => name)
    expect(names.filter((name) => Object.hasOwn(devDependencies, name as string))).toEqual([])
  })
})
