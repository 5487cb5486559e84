import ts from 'typescript'
import { codesWithoutClass } from './codes-without-class'
import { type ErrorCode, errorCodes } from './error-codes'
import { generatedNote } from './generated-note'
import { docOf, type Surface, tagOf } from './surface'

/** What the page says of one code. */
interface Entry {
  readonly code: string
  readonly name: string | undefined
  readonly cause: string
  readonly nextStep: string
  readonly message: string | undefined
  readonly fields: readonly (readonly [name: string, text: string])[]
}

/** The page of all error codes, and what is missing for it: by code, its place in the sources, and what to write there. */
export function errorsPage(surface: Surface): { readonly text: string; readonly faults: readonly string[] } {
  const codes = errorCodes(surface)
  const entries = codes.map((code) => entryOf(code, surface))
  const faults = codes.flatMap(({ code, place }, at) => {
    const { cause, nextStep } = entries[at] as Entry
    const missing = [...(cause === '' ? ['cause'] : []), ...(nextStep === '' ? ['next step'] : [])]
    return missing.map(
      (what) => `${code} (${place}) has no ${what}: a docstring with @nextStep, or an entry of codes-without-class.ts`,
    )
  })
  const named = new Set(codes.map(({ code }) => code))
  const gone = Object.keys(codesWithoutClass).filter((code) => !named.has(code))
  return {
    text: pageOf(entries),
    faults: [...faults, ...gone.map((code) => `${code} is in codes-without-class.ts, and in no source`)],
  }
}

function entryOf({ code, of, message }: ErrorCode, surface: Surface): Entry {
  const known = codesWithoutClass[code]
  const symbol = of?.name && surface.checker.getSymbolAtLocation(of.name)
  if (known !== undefined || symbol === undefined || of === undefined)
    return {
      code,
      name: undefined,
      message: undefined,
      fields: [],
      cause: known?.cause ?? '',
      nextStep: known?.nextStep ?? '',
    }
  return {
    code,
    name: surface.names.some((known) => known.symbol === symbol) ? symbol.name : undefined,
    cause: docOf(symbol, surface.checker),
    nextStep: tagOf(symbol, surface.checker, 'nextStep') ?? '',
    message,
    fields: fieldsOf(of, surface),
  }
}

function fieldsOf(of: ts.ClassDeclaration, { checker }: Surface): [string, string][] {
  const type = checker.getTypeAtLocation(of)
  return type
    .getProperties()
    .filter((field) => field.declarations?.some((node) => ts.findAncestor(node, ts.isClassDeclaration) === of))
    .map((field) => [field.name, docOf(field, checker)])
}

function pageOf(entries: readonly Entry[]): string {
  const [classes, others] = [
    entries.filter(({ name }) => name !== undefined),
    entries.filter(({ name }) => name === undefined),
  ]
  return [
    '# Errors',
    '',
    generatedNote('the docstrings and messages of the sources'),
    '',
    'Every error of this package is a `PgStashError`: its `code` is stable, its facts are fields, and its message ends with what to do next. No message holds a key or a value. Test for the code (`error.code`) or for the class;',
    'both are exported by `pgstash`. Where a call was not answered, `outcome` says what became of it: `not-sent` (it never left), `rolled-back` (the server undid it), or `unknown` (a write may still be applied).',
    '',
    ...tableOf(classes),
    '',
    '## Of calls',
    '',
    ...classes.flatMap(sectionOf),
    '## Of the command line',
    '',
    'On stderr, or with `--json` as `{"error":{"code","message"}}` on stdout. All codes above may come there too.',
    '',
    ...others.flatMap(sectionOf),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

function tableOf(entries: readonly Entry[]): string[] {
  const rows = entries.map(({ code, name }) => `| [\`${code}\`](#${code.toLowerCase()}) | \`${name}\` |`)
  return ['| code | class |', '| --- | --- |', ...rows]
}

function sectionOf({ code, name, cause, nextStep, message, fields }: Entry): string[] {
  return [
    `### ${code}`,
    '',
    ...(name === undefined ? [] : [`Class \`${name}\`.`, '']),
    `**Cause.** ${cause}`,
    '',
    `**Next step.** ${nextStep}`,
    '',
    ...(message === undefined || !/\w/.test(message) ? [] : [`**It says:** “${message.replace(/ +$/, '')}”`, '']),
    ...(fields.length === 0
      ? []
      : ['**Fields.**', '', ...fields.map(([field, text]) => `- \`${field}\`: ${text}`), '']),
  ]
}
