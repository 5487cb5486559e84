import type { Sample } from './sample'

const width = 720
const height = 130
const left = 70
const right = 20

const lines: readonly (readonly [field: keyof Sample, title: string, colour: string])[] = [
  ['heapMiB', 'heap, MiB', '#2f6feb'],
  ['tableMiB', 'tables with indexes, MiB', '#d1584a'],
  ['connections', 'connections', '#2f9e44'],
  ['callsPerSecond', 'calls a second', '#9aa4b2'],
]

/** Readable in light and dark. */
const paper =
  '<style>text { fill: #24292f } .card { fill: #ffffff } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .card { fill: #161b22 } }</style>'

/** A line for each of what is to stay flat, from zero on. */
export function soakPicture(samples: readonly Sample[]): string {
  const total = lines.length * height + 30
  const charts = lines.map(([field, title, colour], at) => chart(samples, field, title, colour, at * height + 10))
  const minutes = Math.round((samples.at(-1)?.seconds ?? 0) / 60)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" width="${width}" font-family="sans-serif" font-size="11">`,
    '<title>Heap, tables, connections and calls over a soak</title>',
    paper,
    `<rect class="card" width="${width}" height="${total}"/>`,
    ...charts,
    `<text x="${width - right}" y="${total - 8}" text-anchor="end">${minutes} minutes</text>`,
    '</svg>\n',
  ].join('\n')
}

function chart(samples: readonly Sample[], field: keyof Sample, title: string, colour: string, top: number): string {
  const most = Math.max(1, ...samples.map((sample) => sample[field]))
  const last = Math.max(1, samples.at(-1)?.seconds ?? 1)
  const floor = top + height - 30
  const points = samples.map((sample) => {
    const x = left + (sample.seconds / last) * (width - left - right)
    const y = floor - (sample[field] / most) * (height - 50)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  return [
    `<text x="${left}" y="${top + 8}">${title}</text>`,
    `<text x="${left - 6}" y="${top + 24}" text-anchor="end">${most}</text>`,
    `<text x="${left - 6}" y="${floor}" text-anchor="end">0</text>`,
    `<line x1="${left}" y1="${floor}" x2="${width - right}" y2="${floor}" stroke="#c9ced6"/>`,
    `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.join(' ')}"/>`,
  ].join('\n')
}
