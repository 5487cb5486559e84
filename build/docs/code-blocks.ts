import type { Fence } from './page'

/** What the compiler is given of a page: one block, or several that go on from each other. */
export interface CodeModule {
  readonly path: string
  /** Of its first block. */
  readonly line: number
  readonly language: string
  readonly given: readonly string[]
  /** The code at the lines where it stands in the page: what the compiler says of line 12 is said of line 12 of the page. */
  readonly text: string
}

/** Languages that a block may have: each is looked at by somebody. Screens and drawings are `text`. */
const languages: ReadonlySet<string> = new Set(['js', 'ts', 'sh', 'sql', 'json', 'text', ''])

/** Names each block in a language that nobody looks at. */
export function unknownLanguages(fences: readonly Fence[]): string[] {
  return fences
    .filter(({ language }) => !languages.has(language))
    .map(({ path, line, language }) => `${path}:${line}: nothing checks a block of ${language}`)
}

/** Names each block of JSON that is none. */
export function brokenJson(fences: readonly Fence[]): string[] {
  return fences
    .filter(({ language }) => language === 'json')
    .flatMap(({ path, line, code }) => {
      try {
        JSON.parse(code)
        return []
      } catch (error) {
        return [`${path}:${line}: ${(error as Error).message}`]
      }
    })
}

export function modulesOf(fences: readonly Fence[]): CodeModule[] {
  const modules: CodeModule[] = []
  for (const fence of fences.filter(({ language }) => language === 'js' || language === 'ts')) {
    const last = modules.at(-1)
    if (fence.given.includes('above') && last?.path === fence.path)
      modules.push(continued(modules.pop() as CodeModule, fence))
    else modules.push(...columnsOf(fence.code).map((code) => ({ ...fence, text: atLine(fence.line, code) })))
  }
  return modules
}

function continued(before: CodeModule, { line, code, given }: Fence): CodeModule {
  const text = `${before.text}${'\n'.repeat(line - before.text.split('\n').length)}${code}`
  return { ...before, given: [...before.given, ...given.filter((name) => name !== 'above')], text }
}

function atLine(line: number, code: string): string {
  return '\n'.repeat(line - 1) + code
}

/** A block whose first line is "// before   // after" is two, side by side. */
function columnsOf(code: string): string[] {
  const column = /^\/\/ before\s+(?=\/\/ after)/.exec(code)?.[0].length
  if (column === undefined) return [code]
  const lines = code.split('\n')
  return [lines.map((line) => line.slice(0, column)), lines.map((line) => line.slice(column))].map((half) =>
    half.join('\n'),
  )
}
