/** A table of Markdown, cell by cell. */
export interface MarkdownTable {
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const tableLines = /(?:^\|.*\|[ ]*\n?){2,}/gm

export function tablesOf(markdown: string): MarkdownTable[] {
  return (markdown.match(tableLines) ?? []).map((lines) => {
    const [header = [], , ...rows] = lines.trim().split('\n').map(cellsOf)
    return { header, rows }
  })
}

export function withoutTables(markdown: string): string {
  return markdown.replaceAll(tableLines, '')
}

/** By the text of the row's first cell and the heading of the column; undefined: there is no such row or column. */
export function cellOf({ header, rows }: MarkdownTable, row: string, column: string): string | undefined {
  const at = header.indexOf(column)
  return at < 0 ? undefined : rows.find(([label]) => label === row)?.[at]
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}
