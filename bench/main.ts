import { mkdirSync, writeFileSync } from 'node:fs'
import { compare, type Line } from './comparison'
import { describeMachine, readSettings } from './settings'
import { judge, ratioOf } from './targets'

/** The size of value that the targets speak of. */
const usualBytes = 300

const settings = readSettings()
const machine = await describeMachine(settings)
for (const [what, is] of Object.entries(machine)) console.log(`${what}: ${is}`)
console.log(`${settings.keys} keys; medians of ${settings.turns} turns of ${settings.turnMs} ms\n`)

const lines = await compare(settings, (line) => console.log(rowOf(line)))

console.log('\nTargets, as ratios of operations a second in this run:')
for (const verdict of judge(lines, usualBytes)) console.log(`  ${verdict}`)

mkdirSync('bench/results', { recursive: true })
const file = `bench/results/${settings.isQuick ? 'quick' : 'full'}.json`
writeFileSync(
  file,
  `${JSON.stringify({ machine, settings: { ...settings, databaseUrl: '', redisUrl: '' }, lines }, undefined, 2)}\n`,
)
console.log(`\nAll figures, with p50 and p99: ${file}`)

function rowOf(line: Line): string {
  const { work, bytes, callers, storage, figures } = line
  const head = `${storage.padEnd(9)}${work.padEnd(12)}${`${bytes} B`.padStart(8)}${String(callers).padStart(5)}  `
  const cells = Object.entries(figures).map(([name, { rate, p99Ms }]) => {
    const ratio = name === 'pgstash' ? '' : ` (x${ratioOf(line, name)?.toFixed(2)})`
    return `${name} ${Math.round(rate)}/s p99 ${p99Ms.toFixed(1)} ms${ratio}`
  })
  return head + cells.join(' | ')
}
