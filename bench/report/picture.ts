import type { Figure } from '../measuring/measure'
import type { Line } from '../workloads/comparison'

const barHeight = 14
const groupGap = 18
const left = 190
const barsWidth = 470
const captionHeight = 14
/** So many characters are as wide as the picture. */
const captionWidth = 120
/** From the start of the longest bar to what a call costs. */
const costFrom = barsWidth + 220
/** Those of the comparison through Keyv; the legend names them. */
const stores: Readonly<Record<string, string>> = {
  pgstash: '#2f6feb',
  '@keyv/postgres': '#9aa4b2',
  'raw pg': '#c9ced6',
  '@keyv/redis': '#d1584a',
}
/** Named beside their bars. */
const others: Readonly<Record<string, string>> = {
  'pgstash, near, copy': '#79a6f6',
  'pgstash, near, frozen': '#a9c6fa',
  cacheable: '#dd8a5a',
  bentocache: '#e0b34f',
  'memory stores': '#3f9c6d',
  'Redis stores': stores['@keyv/redis'] as string,
  'PostgreSQL stores': stores['@keyv/postgres'] as string,
}
const colours: Readonly<Record<string, string>> = { ...stores, ...others }

/** Readable in light and dark. */
const paper =
  '<style>text { fill: #24292f } .card { fill: #ffffff } @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .card { fill: #161b22 } }</style>'

/** A group of bars for each line; within a group the longest bar is the fastest. Right of them, what a call took of CPU. */
export function picture(lines: readonly Line[], caption: string): string {
  const shown = lines.filter(isShown)
  const parts: string[] = [text(left + costFrom, 21, 'CPU in us, Node + server', 'end', 10)]
  let y = 40
  for (const line of shown) {
    const bars = Object.entries(line.figures).filter(([name]) => name in colours)
    const fastest = Math.max(...bars.map(([, { rate }]) => rate))
    parts.push(label(line, y + (bars.length * barHeight) / 2))
    bars.forEach(([name, { rate }], at) => {
      parts.push(bar(name, rate, fastest, y + at * barHeight))
    })
    bars.forEach(([, figure], at) => {
      parts.push(text(left + costFrom, y + at * barHeight + 9, costOf(figure), 'end', 10))
    })
    y += bars.length * barHeight + groupGap
  }
  const told = linesOf(caption)
  const captions = told.map((line, at) => text(10, y + at * captionHeight, line, 'start', 10))
  return svg(y + 10 + (told.length - 1) * captionHeight, [legend(), ...parts, ...captions])
}

function isShown({ work, bytes, callers, storage }: Line): boolean {
  if (bytes !== 300) return false
  if (work === 'app' || work === 'near get') return true
  if (work === 'get' || work === 'set') return storage === 'logged' ? work === 'set' && callers === 64 : callers !== 16
  return (work === 'getMany 100' || work === 'setMany 100') && callers === 1
}

function label({ work, callers, storage }: Line, y: number): string {
  return text(
    left - 10,
    y + 1,
    work === 'app' ? `${work}, ${callers} connections` : of(work, callers, storage),
    'end',
    12,
  )
}

function of(work: string, callers: number, storage: Line['storage']): string {
  return `${work}, ${callers} caller${callers === 1 ? '' : 's'}${storage === 'logged' ? ', logged' : ''}`
}

/** Where nobody could see it, nothing. */
function costOf({ nodeUs, serverUs }: Figure): string {
  return Number.isNaN(nodeUs) ? '' : `${nodeUs.toFixed(1)} + ${serverUs.toFixed(1)}`
}

/** Broken after commas. */
function linesOf(caption: string): string[] {
  const lines: string[] = []
  for (const part of caption.split(/(?<=, )/)) {
    const last = lines.length - 1
    if (last >= 0 && `${lines[last]}${part}`.length <= captionWidth) lines[last] += part
    else lines.push(part)
  }
  return lines.map((line) => line.trim())
}

function bar(name: string, rate: number, fastest: number, y: number): string {
  const width = Math.max(1, Math.round((rate / fastest) * barsWidth))
  const told = Math.round(rate).toLocaleString('en-GB')
  return [
    `<rect x="${left}" y="${y}" width="${width}" height="${barHeight - 3}" fill="${colours[name]}"/>`,
    text(left + width + 6, y + 9, name in stores ? told : `${told} ${name}`, 'start', 10),
  ].join('')
}

function legend(): string {
  return Object.entries(stores)
    .map(([name, colour], at) => {
      const x = left + at * 130
      return `<rect x="${x}" y="12" width="10" height="10" fill="${colour}"/>${text(x + 15, 21, name, 'start', 12)}`
    })
    .join('')
}

function text(x: number, y: number, content: string, anchor: 'start' | 'end', size: number): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}">${content}</text>`
}

function svg(height: number, parts: readonly string[]): string {
  const width = left + costFrom + 10
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="sans-serif">`,
    '<title>Operations a second of pgstash, @keyv/postgres, raw pg and @keyv/redis</title>',
    paper,
    `<rect class="card" width="${width}" height="${height}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}
