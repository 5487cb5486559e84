import ts from 'typescript'
import { docOf, type PublicName, type Surface } from './surface'

/** Names each public name, and each public member of one, that no docstring says anything of. */
export function undocumented(surface: Surface): string[] {
  return surface.names.flatMap((known) => {
    const { entry, name, symbol, declarations } = known
    const own = docOf(symbol, surface.checker) === '' ? [`${entry}: ${name} (${placeOf(known, surface)})`] : []
    return [...own, ...declarations.flatMap((node) => membersOf(node, `${entry}: ${name}`, surface))]
  })
}

function placeOf({ declarations }: PublicName, surface: Surface): string {
  return surface.placeOf(declarations[0] as ts.Declaration)
}

/** Of classes, interfaces and literal types, also where one stands in a field of another. */
function membersOf(node: ts.Node, path: string, surface: Surface): string[] {
  const faults: string[] = []
  const visit = (inner: ts.Node, at: string): void => {
    if (isMember(inner)) {
      if (isHidden(inner)) return
      const name = `${at}.${inner.name.getText()}`
      if (docOf(symbolOf(inner, surface), surface.checker) === '') faults.push(`${name} (${surface.placeOf(inner)})`)
      // What a method does inside is its own business; a field's type may be a literal with fields.
      if ('type' in inner && inner.type !== undefined) visit(inner.type as ts.Node, name)
      return
    }
    if (ts.isConstructorDeclaration(inner)) for (const field of inner.parameters.filter(isField)) visit(field, at)
    else if (!ts.isFunctionLike(inner) && !ts.isExpression(inner)) ts.forEachChild(inner, (child) => visit(child, at))
  }
  if (!ts.isFunctionDeclaration(node) && !ts.isVariableDeclaration(node))
    ts.forEachChild(node, (child) => visit(child, path))
  return faults
}

type Member = (ts.ClassElement | ts.TypeElement | ts.ParameterDeclaration) & { readonly name: ts.PropertyName }

function isMember(node: ts.Node): node is Member {
  const hasName = 'name' in node && node.name !== undefined
  return hasName && (ts.isClassElement(node) || ts.isTypeElement(node) || (ts.isParameter(node) && isField(node)))
}

/** `constructor(readonly schema: string)` declares a field. */
function isField(parameter: ts.ParameterDeclaration): boolean {
  return ts.isParameterPropertyDeclaration(parameter, parameter.parent)
}

/** Private ones, and those behind a symbol, which nobody calls by name. */
function isHidden(node: Member): boolean {
  const flags = ts.getCombinedModifierFlags(node as ts.Declaration)
  if (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) return true
  return ts.isPrivateIdentifier(node.name) || ts.isComputedPropertyName(node.name)
}

/** Of a parameter that is a field there are two symbols; the docstring is the field's. */
function symbolOf(node: Member, { checker }: Surface): ts.Symbol {
  if (!ts.isParameter(node)) return checker.getSymbolAtLocation(node.name) as ts.Symbol
  const symbols = checker.getSymbolsOfParameterPropertyDeclaration(node, node.name.getText())
  return symbols.find(({ flags }) => flags & ts.SymbolFlags.Property) as ts.Symbol
}
