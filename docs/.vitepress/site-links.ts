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

const root = normalize(join(import.meta.dirname, '../..'))

type Token = ReturnType<MarkdownRenderer['parse']>[number]

/**
 * Pages link to files, so that GitHub follows them; here each such link becomes the path that the site has for the file. What the site does not have (sources,
 * tests, examples) is a name without a link.
 */
export function siteLinks(md: MarkdownRenderer): void {
  md.core.ruler.push('site-links', ({ tokens, env }) => {
    for (const { children } of tokens) moveLinks(children ?? [], (env.realPath ?? env.path) as string)
  })
}

function moveLinks(tokens: readonly Token[], page: string): void {
  let isLeftOut = false
  for (const token of tokens) {
    if (token.type === 'link_open') {
      const path = pathOf(token.attrGet('href') as string, page)
      isLeftOut = path === undefined
      if (path !== undefined) token.attrSet('href', path)
    }
    if (isLeftOut && (token.type === 'link_open' || token.type === 'link_close')) token.type = 'text'
  }
}

/** undefined: the site has no such file. */
function pathOf(href: string, page: string): string | undefined {
  if (/^([a-z][a-z+.-]*:|\/|#)/i.test(href)) return href
  const [file = '', anchor] = href.split('#')
  const path = normalize(join(page, '..', file)).slice(root.length + 1)
  const known = beside[path] ?? /^docs\/public(\/.*)$/.exec(path)?.[1] ?? /^docs(\/.*\.md)$/.exec(path)?.[1]
  return known && known + (anchor === undefined ? '' : `#${anchor}`)
}
