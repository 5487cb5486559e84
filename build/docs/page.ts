import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A Markdown file that people read, on GitHub and on the site. */
export interface Page {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

/** A fenced block of a page. */
export interface Fence {
  readonly path: string
  /** Of its first line of code, counted from 1. */
  readonly line: number
  readonly language: string
  /** What the comment before it asks for: `<!-- given: fastify keyv@6 -->`. */
  readonly given: readonly string[]
  readonly code: string
}

const besideDocs = [
  ...['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  'bench/README.md',
]

/** All of them; the API reference is not among them, for it is made anew at each build. */
export function readPages(root: string): Page[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.startsWith('.vitepress') && !path.startsWith('reference/api/'))
    .map((path) => `docs/${path}`)
  return [...besideDocs, ...docs.sort()].map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** The same text, line for line, without front matter and code: in code a bracket is no link, and # no heading. */
export function proseOf({ text }: Page): string {
  const blank = (part: string) => part.replace(/[^\n]/g, ' ')
  return text
    .replace(/^---\n[\s\S]*?\n---\n/, blank)
    .replace(fence, blank)
    .replace(/(`+)(?!`)[^\n]*?[^`\n]\1(?!`)/g, blank)
}

/** A fence may stand in a list, and may be longer than three marks. */
const fence = /^([ \t]*)(`{3,})([^\n`]*)\n([\s\S]*?)^\1\2`*[ \t]*$/gm

const givenComment = /<!-- given: ([^\n]*?) -->\s*$/

export function fencesOf({ path, text }: Page): Fence[] {
  return [...text.matchAll(fence)].map(({ index, 0: whole, 1: indent = '', 3: info = '', 4: code = '' }) => {
    const before = text.slice(0, index)
    return {
      path,
      line: before.split('\n').length + 1,
      language: /^\w*/.exec(info.trim())?.[0] ?? '',
      given: givenComment.exec(before)?.[1]?.split(/\s+/) ?? [],
      code: whole === '' ? '' : code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }
  })
}
