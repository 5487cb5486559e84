import { createHash } from 'node:crypto'
import type { SqlFile } from '../../../sql/sql-file'
import { assertStorable } from '../../entry/tenant'
import { InvalidArgumentError } from '../../errors'

/**
 * A statement ready to run. Its name is that of its file plus a digest of its text: two schemas, or two versions of this
 * package, on one connection or one pooler never meet under one name.
 */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** How the files in sql/ spell the schema, so that they are valid SQL as they stand; and how they quote what holds it: the bodies of functions. */
const schemaInFiles = '"pgstash"'
const quoteInFiles = '$$'
const schemaOrQuote = /"pgstash"|\$\$/g

/** The identifier in double quotes, its own quotes doubled. */
function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** For scripts that people read; what is run carries its values beside it. */
export function quoteLiteral(text: string): string {
  const escaped = text.replaceAll("'", "''")
  return text.includes('\\') ? ` E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`
}

/** Puts the quoted schema in; nothing else is ever put into SQL text. */
export function inSchema(text: string, schema: string): string {
  const quoted = quoteIdentifier(schema)
  const quote = dollarQuoteFor(quoted)
  // A function: `$&` and the like in a schema's name are not patterns here.
  return text.replace(schemaOrQuote, (found) => (found === schemaInFiles ? quoted : quote))
}

/** A schema may be called `a$$b`: the quote is one that its name does not hold. */
function dollarQuoteFor(quotedSchema: string): string {
  let quote = quoteInFiles
  for (let number = 1; quotedSchema.includes(quote); number += 1) quote = `$body${number}$`
  return quote
}

/** By file and schema: what is asked for at every new tenant is made once. */
const statements = new WeakMap<SqlFile, Map<string, Statement>>()

/** The statement of a file for one schema. PostgreSQL keeps 63 bytes of a name: `pgstash.` + file + 8. */
export function statementOf(file: SqlFile, schema: string): Statement {
  const ofFile = statements.get(file) ?? new Map<string, Statement>()
  statements.set(file, ofFile)
  const statement = ofFile.get(schema) ?? makeStatement(file, schema)
  ofFile.set(schema, statement)
  return statement
}

/** A table that somebody else has made. */
export interface TableName {
  readonly schema: string
  readonly table: string
}

/** Of a name PostgreSQL keeps 63. */
const maxNameBytes = 63

/** @throws {InvalidArgumentError} no object, or a name that is none */
export function assertTableName(name: unknown): TableName {
  const { schema, table } = (name ?? {}) as Partial<Record<keyof TableName, unknown>>
  return { schema: assertName('schema', schema), table: assertName('table', table) }
}

/**
 * The name of a role, a schema or a table.
 * @throws {InvalidArgumentError} no string, empty, or what PostgreSQL takes for no name
 */
export function assertName(field: string, name: unknown): string {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(field, 'must be a non-empty string', `Pass the name of the ${field}.`)
  }
  assertStorable(field, name, maxNameBytes)
  return name
}

/** How the files spell such a table. */
const tableInFiles = '"pgstash"."connect_session"'

/** The statement of a file for one table. */
export function statementOfTable(file: SqlFile, { schema, table }: TableName): Statement {
  const quoted = `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
  return named(
    file,
    file.text.replaceAll(tableInFiles, () => quoted),
  )
}

/** By it no_tenant() knows a statement of this package: one that forgot the tenant under row-level security fails, and is not answered with no rows. */
const mark = '/* pgstash */'

function makeStatement(file: SqlFile, schema: string): Statement {
  return named(file, `${mark} ${inSchema(file.text, schema)}`)
}

/** A statement as a person would type it: where the policies hold and no tenant is told, it sees nothing, and does not fail. */
export function unmarked({ name, text }: Statement): Statement {
  return { name: `${name}.plain`, text: text.slice(mark.length) }
}

function named({ name }: SqlFile, text: string): Statement {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return { name: `pgstash.${name}.${digest}`, text }
}
