import { join, normalize } from 'node:path/posix'
import { anchorsOf } from './anchor'
import { type Page, proseOf } from './page'

interface Link {
  readonly line: number
  readonly href: string
}

/** A page with what others may point at. */
interface Target {
  readonly anchors: ReadonlySet<string>
}

/**
 * Names each link of the pages that leads nowhere: to a file that is not there, or to a heading that the page does not have. Links to other hosts are not
 * followed: a build must not need them.
 */
export function deadLinks(pages: readonly Page[], isThere: (path: string) => boolean): string[] {
  const targets = new Map(pages.map((page) => [page.path, { anchors: anchorsOf(page.text, proseOf(page)) }]))
  return pages.flatMap((page) => [
    ...linksOf(page).flatMap((link) => fault(page, link, targets, isThere)),
    ...siteLinksOf(page).flatMap((link) => siteFault(page, link, targets)),
  ])
}

const markdownLink = /\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g
const definition = /^\s{0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?/g
const attribute = /\s(?:href|src)="([^"]+)"/g

function linksOf(page: Page): Link[] {
  return proseOf(page)
    .split('\n')
    .flatMap((text, at) =>
      [markdownLink, definition, attribute].flatMap((form) =>
        [...text.matchAll(form)].map(([, href]) => ({ line: at + 1, href: href as string })),
      ),
    )
    .filter(({ href }) => !/^[a-z][a-z+.-]*:/i.test(href))
}

function fault(
  { path }: Page,
  { line, href }: Link,
  targets: ReadonlyMap<string, Target>,
  isThere: (path: string) => boolean,
) {
  const where = `${path}:${line}: ${href}`
  if (href.startsWith('/')) return [`${where} is a path of the site; link to the file, which GitHub follows too`]
  const [file = '', anchor] = href.split('#') as [string, string?]
  const to = file === '' ? path : normalize(join(path, '..', decodeURI(file)))
  if (to.startsWith('docs/reference/api')) return [`${where} is not committed: on GitHub it leads nowhere`]
  const target = targets.get(to)
  if (target === undefined && !isThere(to)) return [`${where} leads nowhere: there is no ${to}`]
  if (anchor === undefined || target === undefined) return []
  return target.anchors.has(anchor) ? [] : [`${where} leads nowhere: ${to} has no heading #${anchor}`]
}

/** The front matter of the first page names its buttons by the paths of the site: VitePress takes nothing else there. */
function siteLinksOf({ path, text }: Page): Link[] {
  const front = path.startsWith('docs/') ? (/^---\n([\s\S]*?)\n---\n/.exec(text)?.[1] ?? '') : ''
  return front.split('\n').flatMap((line, at) => {
    const href = /^\s*(?:- )?link:\s*['"]?(\/[^\s'"]*)/.exec(line)?.[1]
    return href === undefined ? [] : [{ line: at + 2, href }]
  })
}

function siteFault({ path }: Page, { line, href }: Link, targets: ReadonlyMap<string, Target>): string[] {
  const [file = '', anchor] = href.split('#') as [string, string?]
  const page = file.endsWith('/') ? `docs${file}index.md` : `docs${file}.md`
  const target = targets.get(page)
  if (target === undefined && !file.startsWith('/reference/api/'))
    return [`${path}:${line}: ${href} leads nowhere: there is no ${page}`]
  if (anchor === undefined || target?.anchors.has(anchor)) return []
  return [`${path}:${line}: ${href} leads nowhere: ${page} has no heading #${anchor}`]
}
