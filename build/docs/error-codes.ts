import ts from 'typescript'
import type { Surface } from './surface'

/** A code that this package may answer, and what the sources say of it. */
export interface ErrorCode {
  readonly code: string
  /** `src/errors.ts:12`, where it is first named. */
  readonly place: string
  /** The class that stands for it, where one does. */
  readonly of: ts.ClassDeclaration | undefined
  /** What is told, with `…` for the facts; undefined where it is put together elsewhere. */
  readonly message: string | undefined
}

/** Each code that the sources name: by a class of errors, by an error without one, or in full. */
export function errorCodes({ sources, placeOf }: Surface): ErrorCode[] {
  const codes = new Map<string, ErrorCode>()
  const add = (name: string, node: ts.Node, message?: ts.Expression, of?: ts.ClassDeclaration): void => {
    const code = `ERR_PGSTASH_${name}`
    const known = codes.get(code)
    if (known === undefined || (known.of === undefined && of !== undefined))
      codes.set(code, { code, place: placeOf(node), of, message: message && templateOf(message) })
  }
  for (const source of sources) visit(source, add)
  return [...codes.values()].sort((one, other) => (one.code < other.code ? -1 : 1))
}

type Add = (name: string, node: ts.Node, message?: ts.Expression, of?: ts.ClassDeclaration) => void

function visit(node: ts.Node, add: Add): void {
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword) {
    const of = classOf(node)
    const [code, message] = node.arguments
    if (code !== undefined && of !== undefined) for (const name of literalsOf(code, node)) add(name, of, message, of)
  }
  // An error without a class of its own, or a class that is told another code.
  if (ts.isNewExpression(node) && /^(PgStash|InvalidArgument)Error$/.test(node.expression.getText())) {
    const [code, message] =
      node.expression.getText() === 'PgStashError' ? (node.arguments ?? []) : [node.arguments?.[3]]
    if (code !== undefined && ts.isStringLiteral(code)) add(code.text, node, message)
  }
  const full =
    ts.isStringLiteralLike(node) || ts.isTemplateHead(node) ? /^ERR_PGSTASH_([A-Z_]+)/.exec(node.text)?.[1] : undefined
  if (full !== undefined) add(full, node)
  ts.forEachChild(node, (child) => visit(child, add))
}

/** `super('TIMEOUT', …)`, or `super(code, …)` with the code a parameter that has a default. */
function literalsOf(code: ts.Expression, within: ts.Node): string[] {
  if (ts.isStringLiteral(code)) return /^[A-Z_]+$/.test(code.text) ? [code.text] : []
  const parameters = ts.findAncestor(within, ts.isConstructorDeclaration)?.parameters ?? []
  const initial = parameters.find(({ name }) => name.getText() === code.getText())?.initializer
  return initial !== undefined && ts.isStringLiteral(initial) ? [initial.text] : []
}

/** Of errors: other classes may hand a text to theirs too. */
function classOf(node: ts.Node): ts.ClassDeclaration | undefined {
  const of = ts.findAncestor(node, ts.isClassDeclaration)
  return of?.heritageClauses?.some((clause) => /\bextends \w*Error\b/.test(clause.getText())) ? of : undefined
}

function templateOf(message: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(message)) return message.text
  if (ts.isTemplateExpression(message))
    return message.head.text + message.templateSpans.map(({ literal }) => `…${literal.text}`).join('')
  if (!ts.isBinaryExpression(message)) return undefined
  const [left, right] = [templateOf(message.left), templateOf(message.right)]
  return left === undefined || right === undefined ? undefined : left + right
}
