import { join, normalize } from 'node:path/posix'
import type { MarkdownRenderer } from 'vitepress'

/** Pages beside docs/, by where the site has them. */
const beside: Readonly<Record<string, string>> = {
  'README.md': '/',
  'ARCHITECTURE.md': '/project/architecture.md',
  'CHANGELOG.md': '/project/changelog.md',
  'SECURITY.md': '/project/security.md',
  'bench/README.md': '/project/benchmark.md',
}

/**
 * Pages link to files, so that GitHub follows them; here each such link becomes the path that the site has for the file. What the site does not have (sources,
 * tests, examples) is a name without a link.
 */
export function siteLinks(md: MarkdownRenderer): void {
  md.core.ruler.push('site-links', ({ tokens, env }) => {
    const page = (env.realPath ?? env.path) as string
    for (const { children } of tokens) {
      const open: boolean[] = []
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const href = token.attrGet('href') as string
          const path = pathOf(href, page)
          open.push(path !== undefined)
          if (path === undefined) token.hidden = true
          else token.attrSet('href', path)
        }
        if (token.type === 'link_close' && open.pop() === false) token.hidden = true
      }
    }
  })
}

/** undefined: the site has no such file. */
function pathOf(href: string, page: string): string | undefined {
  if (/^([a-z][a-z+.-]*:|\/|#)/i.test(href)) return href
  const [file = '', anchor] = href.split('#')
  const root = normalize(join(import.meta.dirname, '../..'))
  const path = normalize(join(page, '..', file)).slice(root.length + 1)
  const hash = anchor === undefined ? '' : `#${anchor}`
  const known = beside[path] ?? /^docs\/public(\/.*)$/.exec(path)?.[1] ?? /^docs(\/.*\.md)$/.exec(path)?.[1]
  return known && known + hash
}
