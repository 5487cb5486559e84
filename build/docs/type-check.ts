import { join } from 'node:path'
import ts from 'typescript'
import type { CodeModule } from './code-blocks'

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  // Most readers write JavaScript: a callback's parameter needs no type, nor does what a catch caught.
  noImplicitAny: false,
  useUnknownInCatchVariables: false,
  esModuleInterop: true,
  skipLibCheck: true,
  // Of a block of JavaScript its JSDoc counts.
  allowJs: true,
  checkJs: true,
  noEmit: true,
  types: ['node'],
}

/** What a page calls a package, and what it is called here; `cache-manager@5` of a block's `given` says which. */
const aliases: Record<string, string> = {
  keyv: 'keyv',
  'keyv@6': 'keyv6',
  'cache-manager': 'cache-manager7',
  'cache-manager@4': 'cache-manager4',
  'cache-manager@5': 'cache-manager5',
  'cache-manager@6': 'cache-manager6',
  redis: 'redis-client-6',
}

/** Names, by page and line, all that the compiler has against the modules, each of which sees the built package as a user does. */
export function typeFaults(root: string, modules: readonly CodeModule[]): string[] {
  const files = new Map(modules.map((module, at) => [join(root, `${module.path}.${at}.${module.language}`), module]))
  const given = join(root, 'build/docs/given')
  const unknown = modules.flatMap((module) => unknownNames(module, given))
  if (unknown.length > 0) return unknown
  const ambient = ['always.d.ts', 'absent.d.ts'].map((name) => join(given, name))
  const program = ts.createProgram([...ambient, ...files.keys()], options, hostOf(files, given))
  return [...files.keys()].flatMap((file) => {
    const source = program.getSourceFile(file) as ts.SourceFile
    const faults = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return faults.map((fault) => told(files.get(file) as CodeModule, source, fault))
  })
}

function unknownNames({ path, line, given }: CodeModule, directory: string): string[] {
  return given
    .filter((name) => aliases[name] === undefined && !ts.sys.fileExists(join(directory, `${name}.d.ts`)))
    .map((name) => `${path}:${line}: there is no build/docs/given/${name}.d.ts`)
}

/** The files of the disk, the modules beside them, and each module's own idea of what `keyv` is. */
function hostOf(files: ReadonlyMap<string, CodeModule>, given: string): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const cache = ts.createModuleResolutionCache(host.getCurrentDirectory(), (name) => name, options)
  return {
    ...host,
    fileExists: (file) => files.has(file) || host.fileExists(file),
    readFile: (file) => {
      const module = files.get(file)
      return module === undefined ? host.readFile(file) : withGiven(module, given)
    },
    getSourceFile: (file, how, ...more) => {
      const module = files.get(file)
      return module === undefined
        ? host.getSourceFile(file, how, ...more)
        : ts.createSourceFile(file, withGiven(module, given), how)
    },
    resolveModuleNameLiterals: (literals, from) =>
      literals.map(({ text }) => {
        const name = files.has(from) ? aliasOf(text, files.get(from) as CodeModule) : text
        return ts.resolveModuleName(name, from, options, host, cache)
      }),
  }
}

function aliasOf(name: string, { given }: CodeModule): string {
  const version = given.find((asked) => asked.startsWith(`${name}@`))
  return aliases[version ?? name] ?? name
}

/** The first line of a page is never code: what is given is imported there, but for what the block declares itself. */
function withGiven({ text, given }: CodeModule, directory: string): string {
  const own = declaredIn(ts.createSourceFile('own.ts', text, ts.ScriptTarget.ES2022))
  const imports = given
    .filter((name) => aliases[name] === undefined)
    .map((name) => {
      const file = join(directory, `${name}.d.ts`)
      const given = ts.createSourceFile(file, ts.sys.readFile(file) ?? '', ts.ScriptTarget.ES2022)
      const names = [...declaredIn(given, ts.isVariableStatement)]
      return `import { ${names.filter((one) => !own.has(one)).join(', ')} } from '${file.replace(/\.d\.ts$/, '')}';`
    })
  return imports.join(' ') + text
}

/** The values that a module declares or imports at its top. */
function declaredIn(source: ts.SourceFile, isMeant = (_: ts.Statement) => true): ReadonlySet<string> {
  const names = new Set<string>()
  const add = (node: ts.Node): void => {
    const { name } = node as { name?: ts.Node }
    if (name !== undefined && ts.isIdentifier(name)) names.add(name.text)
    else if (name !== undefined) ts.forEachChild(name, add)
    if (ts.isVariableStatement(node)) node.declarationList.declarations.forEach(add)
    if (ts.isImportDeclaration(node) && node.importClause !== undefined) addImports(node.importClause, add)
  }
  source.statements.filter(isMeant).forEach(add)
  return names
}

function addImports(clause: ts.ImportClause, add: (node: ts.Node) => void): void {
  add(clause)
  const bindings = clause.namedBindings
  if (bindings === undefined) return
  if (ts.isNamespaceImport(bindings)) add(bindings)
  else bindings.elements.forEach(add)
}

function told({ path }: CodeModule, source: ts.SourceFile, { start = 0, code, messageText }: ts.Diagnostic): string {
  const { line } = source.getLineAndCharacterOfPosition(start)
  return `${path}:${line + 1}: TS${code}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}
