import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { anchorOf } from '../../build/docs/anchor.ts'
import { sideBar } from './side-bar.ts'
import { siteLinks } from './site-links.ts'

const docs = dirname(dirname(fileURLToPath(import.meta.url)))

export default defineConfig({
  title: 'pgstash',
  description: 'PostgreSQL in the place of Redis: stores for Node.',
  lang: 'en',
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/favicon.svg' }]],
  // The pages of the repository beside docs/ (SECURITY.md, the benchmark, …) are pages of the site too.
  srcDir: '..',
  srcExclude: ['README.md', 'CONTRIBUTING.md', 'node_modules/**', 'test/**', 'sql/**', 'examples/**', 'dist/**'],
  rewrites: {
    'docs/:page(.*)': ':page',
    'ARCHITECTURE.md': 'project/architecture.md',
    'CHANGELOG.md': 'project/changelog.md',
    'SECURITY.md': 'project/security.md',
    'bench/README.md': 'project/benchmark.md',
  },
  outDir: join(docs, '.vitepress/dist'),
  cacheDir: join(docs, '.vitepress/cache'),
  cleanUrls: false,
  // The index of the search is larger, and is loaded when somebody searches.
  vite: { publicDir: join(docs, 'public'), build: { chunkSizeWarningLimit: 2_000 } },
  markdown: {
    anchor: { slugify: anchorOf },
    config: (md) => void md.use(siteLinks),
  },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/getting-started', activeMatch: '^/guide/' },
      { text: 'Moving here', link: '/moving/', activeMatch: '^/moving/' },
      { text: 'Reference', link: '/reference/options', activeMatch: '^/reference/' },
    ],
    sidebar: sideBar,
    outline: [2, 3],
    search: { provider: 'local' },
    footer: { message: 'MIT licensed' },
  },
})
