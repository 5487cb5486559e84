import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { EntryPoint } from './entry-points'
import { generatedNote } from './generated-note'
import { loadedBy } from './loaded-chunks'

/** What an import costs a process that has loaded nothing yet. */
export interface ImportCost {
  readonly name: string
  /** Of files of this package. */
  readonly kilobytes: number
  /** Of the CPU, which others on the machine change less than the clock. `packages`: what importing only the packages that it imports takes. */
  readonly ms: number
  readonly packagesMs: number
  readonly heapKilobytes: number
}

/** An odd number, for the median. */
const runs = 15

export function importCost({ name, built }: EntryPoint, root: string): ImportCost {
  const { bytes, packages } = loadedBy(join(root, built))
  const whole = measure([name], root)
  return {
    name,
    kilobytes: Math.round(bytes / 1_000),
    ms: whole.ms,
    packagesMs: measure(packages, root).ms,
    heapKilobytes: whole.heapKilobytes,
  }
}

function measure(names: readonly string[], root: string): { ms: number; heapKilobytes: number } {
  const script = `
    gc()
    const before = process.memoryUsage().heapUsed
    const from = process.cpuUsage()
    for (const name of ${JSON.stringify(names)}) await import(name)
    const { user, system } = process.cpuUsage(from)
    const ms = (user + system) / 1_000
    gc()
    console.log(JSON.stringify([ms, process.memoryUsage().heapUsed - before]))`
  const flags = ['--expose-gc', '--input-type=module', '--eval', script]
  const all = Array.from(
    { length: runs },
    () => JSON.parse(execFileSync(process.execPath, flags, { cwd: root, encoding: 'utf8' })) as [number, number],
  )
  return {
    // The least: what else the machine does only adds.
    ms: Math.round(Math.min(...all.map(([ms]) => ms))),
    heapKilobytes: Math.round(median(all.map(([, bytes]) => bytes)) / 1_000),
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[(values.length - 1) / 2] as number
}

export function importCostsPage(costs: readonly ImportCost[], machine: string): string {
  const rows = costs.map(
    ({ name, kilobytes, ms, packagesMs, heapKilobytes }) =>
      `| \`${name}\` | ${kilobytes} | ${ms} | ${packagesMs} | ${heapKilobytes} |`,
  )
  return [
    '# What an import costs',
    '',
    generatedNote(`a run on ${machine}`, 'npm run docs:costs'),
    '',
    'Each in a process of its own that has imported nothing before; the least of 15 runs, of the heap the median. **KB** are the files of this package that are loaded. **ms** is CPU time of the whole import, packages among it; **of packages** is what those that it imports (`pg` above all, and the host where one has to be extended) take by themselves. **Heap** is what stays after a garbage collection.',
    'Times are those of that machine: compare them with each other.',
    '',
    '| import | KB | ms | of packages, ms | heap, KB |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'A subpath loads what it needs and nothing else: `pgstash/keyv` has nothing of sessions, of rate limits or of another host in it. `stash.doctor()` is loaded when it is first called, and so are locks; the text of the migrations where a schema is behind. A test reads the files of the bundle, and names what does not belong.',
    '',
  ].join('\n')
}

/** What the page says of the files, to be compared with the files. */
export function kilobytesOnPage(text: string): Record<string, number> {
  const rows = [...text.matchAll(/^\| `([^`]+)` \| (\d+) \|/gm)]
  return Object.fromEntries(rows.map(([, name, kilobytes]) => [name, Number(kilobytes)]))
}
