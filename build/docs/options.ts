import ts from 'typescript'
import { docOf, type PublicName, type Surface } from './surface'

/** One option, as the table has it. */
export interface Option {
  readonly of: string
  readonly name: string
  readonly type: string
  readonly standard: string
  readonly unit: string
  readonly text: string
}

/** Of a type that is composed or spread over several declarations: what else belongs to its options. */
const withInherited: ReadonlySet<string> = new Set(['PgStashOptions'])

/** Those that stand for options of an option, and are options of nothing else. */
const spelledOut: ReadonlySet<string> = new Set(['NearSettings', 'NearOptions'])

/** What its docstring does not say. */
export function missing({ of, name, standard, unit, text }: Option): string[] {
  const what = [
    ...(standard === '' ? ['no "Default: …"'] : []),
    ...(unit === '?' ? ['a number without a unit'] : []),
    ...(text === '' ? ['nothing but its default'] : []),
  ]
  return what.map((fault) => `option ${name} of ${of}: its docstring has ${fault}`)
}

/** Those that a type declares, and those within them. */
export function optionsOf(known: PublicName | undefined, of: string, surface: Surface): Option[] {
  if (known === undefined) return []
  const declared = known.declarations.flatMap((node) => fieldsIn(node))
  const inherited = withInherited.has(known.name) ? inheritedFields(known, surface) : []
  return [...inherited, ...declared].flatMap((field) => [
    optionOf(field, of, '', surface),
    ...nestedFields(field, surface).map((inner) => optionOf(inner, of, `${field.name.getText()}.`, surface)),
  ])
}

/** `{ a, b } | false`: the fields of the literal are options too. */
function nestedFields({ type }: ts.PropertySignature, { checker }: Surface): ts.PropertySignature[] {
  if (type === undefined) return []
  const named = (ts.isUnionTypeNode(type) ? [...type.types] : [type])
    .filter((one) => ts.isTypeReferenceNode(one) && spelledOut.has(one.typeName.getText()))
    .flatMap((one) => checker.getTypeAtLocation(one).symbol?.declarations ?? [])
  return [...fieldsIn(type), ...named.flatMap(fieldsIn)]
}

function fieldsIn(node: ts.Node): ts.PropertySignature[] {
  const members = ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node) ? [...node.members] : undefined
  if (members !== undefined) return members.filter((member) => ts.isPropertySignature(member))
  if (ts.isTypeAliasDeclaration(node)) return fieldsIn(node.type)
  if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node)) return node.types.flatMap(fieldsIn)
  return []
}

function inheritedFields({ declarations }: PublicName, { checker }: Surface): ts.PropertySignature[] {
  return declarations
    .flatMap((node) => (ts.isInterfaceDeclaration(node) ? (node.heritageClauses ?? []) : []))
    .flatMap(({ types }) => types)
    .flatMap((type) => checker.getTypeAtLocation(type).symbol?.declarations ?? [])
    .flatMap(fieldsIn)
}

const standardSentence = /\bDefault: (.*?)\.(?= |$)/

function optionOf(field: ts.PropertySignature, of: string, prefix: string, { checker }: Surface): Option {
  const text = docOf(checker.getSymbolAtLocation(field.name) as ts.Symbol, checker)
  const type = typeOf(field, checker)
  const standard = field.questionToken === undefined ? 'to be given' : (standardSentence.exec(text)?.[1] ?? '')
  const name = prefix + field.name.getText()
  return { of, name, type, standard, unit: unitOf(name, type, text), text: text.replace(standardSentence, '').trim() }
}

/** As it is written, without what the table says elsewhere; a name for a few words stands for these. */
function typeOf({ type }: ts.PropertySignature, checker: ts.TypeChecker): string {
  return (
    (type && wordsOf(type, checker)) ??
    (type?.getText() ?? '')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/\breadonly /g, '')
      .replace(/\n\s*(?=\w+\?:)/g, '; ')
      .replace(/\{\s*; /g, '{ ')
      .replace(/\?:/g, ':')
      .replace(/\s*\| undefined\b/g, '')
      .replace(/\s+/g, ' ')
      .replace(/^\| /, '')
  )
}

/** `Isolation | undefined` is 'column' | 'rls'. */
function wordsOf(node: ts.TypeNode, checker: ts.TypeChecker): string | undefined {
  const type = checker.getNonNullableType(checker.getTypeFromTypeNode(node))
  const words = type.isUnion() ? type.types : [type]
  return words.every((one) => one.isStringLiteral())
    ? words.map((one) => checker.typeToString(one)).join(' | ')
    : undefined
}

/** What a number may count; the first that the docstring names. */
const units =
  /\b(milliseconds|bytes|rows|connections|entries|callers|hits|attempts|bits|processes|deploys|failures|version|port)\b/i

function unitOf(name: string, type: string, text: string): string {
  if (!/\bnumber\b/.test(type.replace(/\{.*\}|\(.*\) => .*/g, ''))) return ''
  if (/Ms$/.test(name)) return 'ms'
  const unit = units.exec(text)?.[1]?.toLowerCase()
  if (unit === 'milliseconds') return 'ms'
  return unit === 'port' || unit === 'version' ? '' : (unit ?? '?')
}
