import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { entryPoints } from './entry-points'
import { importCost, importCostsPage } from './import-costs'

const root = process.cwd()
const machine = `Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model.trim()})`
const costs = entryPoints(root).map((entry) => {
  const cost = importCost(entry, root)
  console.log(JSON.stringify(cost))
  return cost
})
writeFileSync('docs/reference/import-costs.md', importCostsPage(costs, machine))
