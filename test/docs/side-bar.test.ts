import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sideBar } from '../../docs/.vitepress/side-bar'

const docs = join(import.meta.dirname, '../../docs')

/** Pages of docs/, as the site names them; the API is made at each build. */
function pages(): string[] {
  return readdirSync(docs, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !/^(\.vitepress|reference\/api)\//.test(path))
    .map((path) => `/${path.replace(/\.md$/, '').replace(/(^|\/)index$/, '$1')}`)
}

describe('the side bar', () => {
  const links = sideBar.flatMap(({ items }) => items.map(({ link }) => link))

  it('has every page but the first', () => {
    expect(pages().filter((page) => page !== '/' && !links.includes(page))).toEqual([])
  })

  it('names no page twice', () => {
    expect(links.filter((link, at) => links.indexOf(link) !== at)).toEqual([])
  })

  it('names no page that is not there', () => {
    const made = (link: string) => /^\/(reference\/api|project)\//.test(link)
    expect(links.filter((link) => !made(link) && !pages().includes(link))).toEqual([])
  })
})
