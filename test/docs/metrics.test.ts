import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { prometheusText } from '../../src/adapters/prometheus'
import { PgStash } from '../../src/stash/pg-stash'
import { tablesOf } from '../support/markdown'

const root = join(import.meta.dirname, '../..')
const tables = tablesOf(readFileSync(join(root, 'docs/guide/metrics.md'), 'utf8'))
const rowsUnder = (heading: string) => tables.find(({ header }) => header[0] === heading)?.rows ?? []

interface Panel {
  readonly title: string
  readonly targets: readonly { readonly expr: string }[]
}

it('the page lists every metric with its type', async () => {
  const stash = new PgStash('postgres://nobody@localhost/nothing')
  const types = [...prometheusText(stash).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type])
  await stash.close()
  expect(rowsUnder('metric').map(([name, type]) => [name?.replaceAll('`', ''), type])).toEqual(types)
})

it('the page lists the panels of the dashboard with their queries', () => {
  const { panels } = JSON.parse(readFileSync(join(root, 'docs/public/grafana-dashboard.json'), 'utf8'))
  // Of a panel with two lines the page has the last one.
  const queries = (panels as Panel[]).map(({ title, targets }) => [title, targets.at(-1)?.expr])
  expect(rowsUnder('panel').map(([title, query]) => [title, /`([^`]+)`/.exec(query as string)?.[1]])).toEqual(queries)
})

it('the picture has the panels of the dashboard', () => {
  const { panels } = JSON.parse(readFileSync(join(root, 'docs/public/grafana-dashboard.json'), 'utf8'))
  const picture = readFileSync(join(root, 'docs/public/grafana.svg'), 'utf8')
  const titles = [...picture.matchAll(/<text class="head"[^>]*>([^<]+)</g)].map(([, title]) => title)
  expect(titles).toEqual((panels as Panel[]).map(({ title }) => title))
})
