import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, normalize } from 'node:path'

/**
 * Names each link of the built site that leads nowhere, anchors too: also those of the side bar and of the API reference, which no page of the repository has.
 */
export function deadBuiltLinks(directory: string): string[] {
  const pages = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.html'))
  const texts = new Map(pages.map((path) => [path, readFileSync(join(directory, path), 'utf8')]))
  const ids = new Map(
    [...texts].map(([path, text]) => [path, new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id))]),
  )
  return [...texts].flatMap(([page, text]) => {
    const links = new Set([...text.matchAll(/\s(?:href|src)="([^"]+)"/g)].map(([, href]) => href as string))
    return [...links].filter(isOwn).flatMap((href) => {
      const [path = '', anchor] = decodeURI(href.replaceAll('&amp;', '&')).split('#')
      const file = fileOf(directory, page, path)
      if (file === undefined) return [`${page}: ${href} leads nowhere`]
      return anchor && ids.get(file)?.has(anchor) === false
        ? [`${page}: ${href} leads to a page without that heading`]
        : []
    })
  })
}

function isOwn(href: string): boolean {
  return !/^([a-z][a-z+.-]*:|\/\/)/i.test(href)
}

/** As a server of files finds it; undefined: it does not. */
function fileOf(directory: string, page: string, path: string): string | undefined {
  if (path === '') return page
  const file = normalize(path.startsWith('/') ? path.slice(1) : join(page, '..', path))
  if (file === '' || file === '.' || file.endsWith('/')) return fileOf(directory, page, `/${join(file, 'index.html')}`)
  const found = join(directory, file)
  return existsSync(found) && statSync(found).isFile() ? file : undefined
}
