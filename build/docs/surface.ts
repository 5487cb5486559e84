import { join, relative } from 'node:path'
import ts from 'typescript'

/** A name that users can import. */
export interface PublicName {
  /** The first entry point that has it. */
  readonly entry: string
  readonly name: string
  readonly symbol: ts.Symbol
  /** Where it is declared, in this package. */
  readonly declarations: readonly ts.Declaration[]
}

/** What the compiler knows of the package: its public names, each once, in the order of the entry points. */
export interface Surface {
  readonly checker: ts.TypeChecker
  readonly names: readonly PublicName[]
  /** All sources, also those that no entry point reaches by name. */
  readonly sources: readonly ts.SourceFile[]
  /** `src/errors.ts:12` */
  placeOf(node: ts.Node): string
}

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
  types: ['node'],
}

/** @param more sources that no entry point imports: the command line */
export function surfaceOf(
  root: string,
  entries: readonly { readonly name: string; readonly source: string }[],
  more: readonly string[] = [],
): Surface {
  const paths = [...entries.map(({ source }) => source), ...more].map((source) => join(root, source))
  const program = ts.createProgram(paths, options)
  const checker = program.getTypeChecker()
  const names = entries.flatMap(({ name, source }) =>
    exportsOf(checker, program.getSourceFile(join(root, source)) as ts.SourceFile, name),
  )
  return {
    checker,
    names: names.filter(({ symbol }, at) => names.findIndex((other) => other.symbol === symbol) === at),
    sources: program.getSourceFiles().filter((file) => isOurs(file)),
    placeOf: (node) => {
      const file = node.getSourceFile()
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
      return `${relative(root, file.fileName)}:${line + 1}`
    },
  }
}

function exportsOf(checker: ts.TypeChecker, file: ts.SourceFile, entry: string): PublicName[] {
  const module = checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${file.fileName} exports nothing`)
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const declarations = (symbol.declarations ?? []).filter((node) => isOurs(node.getSourceFile()))
    return declarations.length === 0 ? [] : [{ entry, name: exported.name, symbol, declarations }]
  })
}

/** Types of hosts that an entry point passes on are documented by the hosts. */
function isOurs(file: ts.SourceFile): boolean {
  return !file.isDeclarationFile && !file.fileName.includes('/node_modules/')
}

/** The prose of a docstring, of the base class where it has none of its own. */
export function docOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  return proseOf(symbol.getDocumentationComment(checker))
}

/** What stands behind a tag of a docstring. */
export function tagOf(symbol: ts.Symbol, checker: ts.TypeChecker, name: string): string | undefined {
  const tag = symbol.getJsDocTags(checker).find((one) => one.name === name)
  return tag && proseOf(tag.text ?? [])
}

/** On one line; a link in it is the name of what it points at. */
function proseOf(parts: ts.SymbolDisplayPart[]): string {
  const text = ts.displayPartsToString(parts).replace(/\{@link (\S+?)(?:\s[^}]*)?\}/g, '`$1`')
  return text.replace(/\s+/g, ' ').trim()
}
