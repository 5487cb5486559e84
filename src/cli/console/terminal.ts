const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type Colour = keyof typeof codes

/** On a terminal only, and not where NO_COLOR is set (no-color.org). By hand: util.styleText is there from Node 20.12 on. */
export function paint(colour: Colour, text: string): string {
  if (!process.stdout.isTTY || process.env.NO_COLOR) return text
  return `\x1b[${codes[colour]}m${text}\x1b[0m`
}

/** What a name may do to a terminal: control characters are shown, not obeyed. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1))
}

/** Columns, those of numbers to the right; the last one on the left is not padded. */
export function columns(rows: readonly (readonly string[])[], rightFrom = 1): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)))
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (at < rightFrom ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
  return rows.map((row) => line(row).join('  ').trimEnd()).join('\n')
}

/** More is noise: of clocks, and of sums of doubles. */
function inSixDigits(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
}

/** One JSON document, or what people read. */
export function print(isJson: boolean | undefined, document: unknown, text: string): void {
  process.stdout.write(isJson ? `${JSON.stringify(document, inSixDigits)}\n` : text.endsWith('\n') ? text : `${text}\n`)
}
