import type { Waiting } from '../../../coalescing/deadlines'
import { OpenTransactionError } from '../../../errors'
import type { Row } from '../driver'
import { readCommitted } from '../read-committed'
import { setTenant } from '../set-tenant'
import type { Statement } from '../statement'
import { isInFailedTransaction, readTimeout } from '../transient-failure'
import { isOpen, type ReadyConnection, type Watched, watch } from './transaction-status'

/** What a submittable needs of the connection of a `pg.Client`. */
interface PgConnection extends ReadyConnection {
  readonly stream: { cork?(): void; uncork?(): void }
  /** By name: the text of what the server has prepared, and of what is on its way to it (`pg` 8.17 and later). */
  readonly parsedStatements: Readonly<Record<string, string>>
  readonly submittedNamedStatements?: Record<string, string>
  parse(query: { name: string; text: string }): void
  bind(query: { portal: string; statement: string; values: readonly (string | null)[] }): void
  describe(what: { type: 'P'; name: string }): void
  execute(portal: { portal: string }): void
  sync(): void
}

/** Makes a value of the text of a column. */
type Parser = ((text: string) => unknown) | undefined

const int8 = 20
const int4 = 23
const bool = 16

/** undefined: the text is the value. */
export function parserOf(oid: number): Parser {
  if (oid === int8 || oid === int4) return Number
  if (oid === bool) return (text) => text === 't'
  return undefined
}

/**
 * The parsers of a statement's columns, from the first time the server described them. It need not describe them again: their
 * types are those of the text.
 */
const parsersOf = new WeakMap<Statement, readonly Parser[]>()

/** The connections that have prepared the statement that names the tenant. After an error a pool gives its connection up. */
const knowsSetTenant = new WeakSet<PgConnection>()

export interface SubmitOptions {
  /** Prepares the statement on its connection, once. */
  readonly isNamed: boolean
  /** Whose rows the policies show it; undefined: no policies, or the maintenance role. */
  readonly tenant: string | undefined
  /** Says first that its transaction is read committed. */
  readonly demandsReadCommitted: boolean
}

/**
 * One statement as `pg` takes it from `pg-cursor` and `pg-query-stream`: an object with `submit` that is told what the server
 * answers. `pg`'s own query copies its config property by property, is an event emitter and emits each row: a lone call took
 * 97 us through it and 83 us through this (bench/README.md).
 */
export class PgSubmittable implements Waiting {
  older: Waiting | undefined
  newer: Waiting | undefined
  startedAt = 0
  /** `pg` notes it as prepared once the server says so. */
  readonly name: string
  readonly text: string
  readonly rows: Row[] = []
  /** Assigned by `pg`, where it finds none. */
  callback: ((error: unknown) => void) | undefined

  readonly #statement: Statement
  readonly #values: readonly (string | null)[]
  readonly #tenant: string | undefined
  #parsers: readonly Parser[] | undefined
  readonly #demandsReadCommitted: boolean
  #behind: readonly PgSubmittable[] = []
  /** Statements before it in its transaction that the server has not answered yet. */
  #leading: number
  #watched: Watched | undefined

  constructor(
    statement: Statement,
    values: readonly unknown[],
    { isNamed, tenant, demandsReadCommitted }: SubmitOptions,
  ) {
    this.name = isNamed ? statement.name : ''
    this.text = statement.text
    this.#statement = statement
    // Here and not in `submit`: what throws there throws out of the queue of `pg`, past everybody who waits.
    this.#values = values.map(textOf)
    this.#tenant = tenant
    this.#demandsReadCommitted = demandsReadCommitted
    this.#leading = Number(tenant !== undefined) + Number(demandsReadCommitted)
    this.#parsers = parsersOf.get(statement)
  }

  /** Something of it is on its way to the server. */
  get hasLeft(): boolean {
    return this.#watched !== undefined
  }

  /** All of the train in one packet: the first writes for those behind it, too. */
  submit(connection: PgConnection): null {
    if (this.hasLeft) return null
    connection.stream.cork?.()
    try {
      const parsed = new Set<string>()
      for (const query of [this, ...this.#behind]) query.#write(connection, parsed)
    } finally {
      connection.stream.uncork?.()
    }
    return null
  }

  /** With one Sync at the end: to the server that is one transaction. @param parsed names that are on their way in this packet */
  #write(connection: PgConnection, parsed: Set<string>): void {
    this.#watched = watch(connection)
    if (this.#demandsReadCommitted) this.#setIsolation(connection)
    if (this.#tenant !== undefined) this.#enter(connection, this.#tenant, parsed)
    if (!this.#isPrepared(connection) && !parsed.has(this.name)) this.#prepare(connection, parsed)
    connection.bind({ portal: '', statement: this.name, values: this.#values })
    if (this.#parsers === undefined) connection.describe({ type: 'P', name: '' })
    connection.execute({ portal: '' })
    connection.sync()
  }

  /** Told by {@link couple}. */
  pull(behind: readonly PgSubmittable[]): void {
    this.#behind = behind
  }

  /** The connection is given up, as after any error. */
  runOut(): void {
    this.callback?.(readTimeout())
  }

  handleRowDescription({ fields }: { fields: readonly { readonly dataTypeID: number }[] }): void {
    this.#parsers = fields.map(({ dataTypeID }) => parserOf(dataTypeID))
    parsersOf.set(this.#statement, this.#parsers)
  }

  handleDataRow({ fields }: { fields: unknown[] }): void {
    if (this.#leading > 0) return
    const parsers = this.#parsers as readonly Parser[]
    for (let at = 0; at < fields.length; at += 1) {
      const parse = parsers[at]
      if (parse !== undefined && fields[at] !== null) fields[at] = parse(fields[at] as string)
    }
    this.rows.push(fields)
  }

  handleCommandComplete(): void {
    this.#leading -= 1
  }

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleReadyForQuery(connection: PgConnection): void {
    if (this.#tenant !== undefined && this.name !== '') knowsSetTenant.add(connection)
    this.callback?.(isOpen(this.#watched?.status) ? new OpenTransactionError() : null)
  }

  handleError(error: unknown): void {
    this.callback?.(isInFailedTransaction(error) ? new OpenTransactionError(error) : error)
  }

  /**
   * `pg` takes the server's word that this was parsed for word of the statement itself. That is harmless while a connection is
   * given up after any error, as pools do.
   */
  #enter(connection: PgConnection, tenant: string, parsed: Set<string>): void {
    const name = this.name === '' ? '' : setTenant.name
    if (name === '' || !(knowsSetTenant.has(connection) || parsed.has(name)))
      connection.parse({ name, text: setTenant.text })
    if (name !== '') parsed.add(name)
    connection.bind({ portal: '', statement: name, values: [tenant] })
    connection.execute({ portal: '' })
  }

  #setIsolation(connection: PgConnection): void {
    connection.parse({ name: '', text: readCommitted.text })
    connection.bind({ portal: '', statement: '', values: [] })
    connection.execute({ portal: '' })
  }

  #isPrepared(connection: PgConnection): boolean {
    if (this.name === '') return false
    return (connection.parsedStatements[this.name] ?? connection.submittedNamedStatements?.[this.name]) !== undefined
  }

  #prepare(connection: PgConnection, parsed: Set<string>): void {
    connection.parse({ name: this.name, text: this.text })
    if (this.name !== '') parsed.add(this.name)
    const { submittedNamedStatements } = connection
    if (this.name !== '' && submittedNamedStatements !== undefined) submittedNamedStatements[this.name] = this.text
  }
}

/** Makes a train of them: whoever is submitted first writes them all. */
export function couple(queries: readonly PgSubmittable[]): void {
  const [first, ...behind] = queries
  first?.pull(behind)
}

/** The text form of what this package sends: strings, numbers, booleans, null, and arrays of them. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return arrayOf(value)
  return String(value)
}

/** Keys are texts that need no escape, nearly always: that is seen once for all of them. */
function arrayOf(values: readonly unknown[]): string {
  const areTexts = values.length > 1 && values.every((value) => typeof value === 'string')
  if (areTexts && !needsEscape.test(values.join())) return `{"${values.join('","')}"}`
  return `{${values.map(elementOf).join(',')}}`
}

const needsEscape = /["\\]/

function elementOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value !== 'string') return String(value)
  return needsEscape.test(value) ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : `"${value}"`
}
