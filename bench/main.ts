import { mkdirSync, writeFileSync } from 'node:fs'
import type { Spread } from './measuring/measure'
import { describeMachine, readSettings, type Settings } from './measuring/settings'
import { sentenceOf, type Verdict } from './measuring/verdict'
import { picture } from './report/picture'
import { judge, ownOf, ratioOf } from './report/targets'
import { app } from './workloads/app'
import { clearing } from './workloads/clearing'
import { compare, type Line } from './workloads/comparison'
import { latency } from './workloads/latency'
import { loadHits } from './workloads/loads'
import { memory } from './workloads/memory'
import { usersMix } from './workloads/mixed'
import { nearHeap } from './workloads/near/heap'
import { nearIdle } from './workloads/near/idle'
import { near } from './workloads/near/rows'
import { overwrites } from './workloads/overwrites'
import { rateLimits } from './workloads/rate-limits'
import { sessions } from './workloads/sessions'
import { stampede } from './workloads/stampede'
import { sweeping } from './workloads/sweeping'
import { tags } from './workloads/tags'

/** The size of value that the targets speak of. */
const usualBytes = 300

/** What is measured beside the comparison. */
const parts: readonly ((settings: Settings) => Promise<Verdict[]>)[] = [
  overwrites,
  clearing,
  sweeping,
  memory,
  latency,
  sessions,
  rateLimits,
  usersMix,
  nearHeap,
  nearIdle,
  stampede,
  tags,
  loadHits,
]

const settings = readSettings()
const machine = await describeMachine(settings)
for (const [what, is] of Object.entries(machine)) console.log(`${what}: ${is}`)
console.log(`${settings.keys} keys; medians of ${settings.turns} turns of ${settings.turnMs} ms`)
console.log('Operations a second (a batch counts as one), p50 and p99 in ms, and how many times as fast pgstash was;')
console.log(
  'CPU for an operation in us, in Node and at the server, median (least-most); writes to the socket for an operation.\n',
)

const lines = await compare(settings, (line) => console.log(rowsOf(line)))
if (near.name.includes(settings.only)) lines.push(...(await near(settings, (line) => console.log(rowsOf(line)))))
if (app.name.includes(settings.only)) {
  const line = await app(settings)
  lines.push(line)
  console.log(rowsOf(line))
}
const verdicts = judge(lines, usualBytes)
for (const part of parts) if (part.name.includes(settings.only)) verdicts.push(...(await part(settings)))

console.log('\nTargets, as ratios in this run:')
for (const verdict of verdicts) console.log(`  ${sentenceOf(verdict)}`)

const file = `bench/results/${settings.isQuick ? 'quick' : 'full'}`
const secrets = { databaseUrl: undefined, redisUrl: undefined }
const results = { machine, settings: { ...settings, ...secrets }, lines, verdicts }
mkdirSync('bench/results', { recursive: true })
writeFileSync(`${file}.json`, `${JSON.stringify(results, undefined, 2)}\n`)
writeFileSync(
  `${file}.svg`,
  picture(lines, `operations a second; ${machine.machine}, Node ${machine.node}, ${machine.postgres}`),
)
console.log(`\nAll figures: ${file}.json. The picture: ${file}.svg`)

function rowsOf(line: Line): string {
  const { work, bytes, callers, storage, figures } = line
  const head = `${work}, ${bytes} B, ${callers} caller${callers === 1 ? '' : 's'}, ${storage}`
  const rows = Object.entries(figures).map(([name, figure]) => {
    const times = ratioOf(line, name)
    const ratio = name === ownOf(line) || times === undefined ? '' : `x${times.toFixed(2)}`
    const { rate, p50Ms, p99Ms, roundTrips, statements } = figure
    const speed = [`${Math.round(rate)}/s`, `p50 ${digits(p50Ms, 2)}`, `p99 ${digits(p99Ms, 2)}`, ratio]
    const cost = [
      `node ${between('nodeUs', figure)}`,
      `server ${between('serverUs', figure)}`,
      `trips ${roundTrips.toFixed(3)}`,
      ...(Number.isNaN(statements) ? [] : [`statements ${statements.toFixed(3)}`]),
    ]
    return `  ${name.padEnd(20)}${speed.map((cell) => cell.padStart(12)).join('')}${cost.map((cell) => cell.padStart(26)).join('')}`
  })
  return [head, ...rows].join('\n')
}

/** The median, and between what it lay. */
function between(field: 'nodeUs' | 'serverUs', { least, most, ...median }: Spread): string {
  return `${digits(median[field], 1)} (${digits(least[field], 1)}-${digits(most[field], 1)})`
}

/** So many behind the point, and more where a hit in memory would be nothing. */
function digits(value: number, usual: number): string {
  return value < 0.1 ? value.toPrecision(2) : value.toFixed(value < 1 ? 2 : usual)
}
