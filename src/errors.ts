import { flagsOf, migrateStep } from './migrate-step'

/** What every error of this package answers: which rule, the facts as fields, and what to do next. */
export class PgStashError extends Error {
  /** Stable, for `switch`: `ERR_PGSTASH_…`. The message may change, this does not. */
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = `ERR_PGSTASH_${code}`
    this.name = new.target.name
  }
}

/** An argument that is refused before any SQL. `field` names it. */
export class InvalidArgumentError extends PgStashError {
  readonly field: string

  constructor(field: string, problem: string, nextStep: string, code = 'INVALID_ARGUMENT') {
    super(code, `${field} ${problem}. ${nextStep}`)
    this.field = field
  }
}

/** A value that JSON cannot say: a BigInt, a cycle, a function, NaN, undefined. */
export class UnserialisableValueError extends PgStashError {
  readonly field = 'value'

  constructor(problem: string, cause?: unknown) {
    super(
      'UNSERIALISABLE_VALUE',
      `value ${problem}. Store JSON data, a string, an integer or a Buffer; convert it first.`,
      { cause },
    )
  }
}

/** A value over `maxValueBytes`. */
export class ValueTooLargeError extends PgStashError {
  readonly field = 'value'

  constructor(
    readonly bytes: number,
    readonly maxValueBytes: number,
  ) {
    super(
      'VALUE_TOO_LARGE',
      `value takes ${bytes} bytes, the limit is ${maxValueBytes}. Store less, or raise maxValueBytes.`,
    )
  }
}

/** `increment` met something that is no integer, or a sum beyond ±(2^53 - 1). */
export class NotAnIntegerError extends PgStashError {
  constructor() {
    super(
      'NOT_AN_INTEGER',
      'increment needs an integer entry whose sum a JavaScript number can hold. Delete the key, or set it to an integer, first.',
    )
  }
}

/** `set` with `ifVersion`, or a session with `lostUpdates: 'reject'`: it has another version by now, or is gone. Nothing was written. */
export class VersionConflictError extends PgStashError {
  constructor(
    readonly expected: number,
    /** The version that stands now; undefined where there is no entry. */
    readonly actual: number | undefined,
  ) {
    super(
      'VERSION_CONFLICT',
      `expected version ${expected}, but ${actual === undefined ? 'it is gone' : `it has version ${actual} now`}. Read it again, and decide anew.`,
    )
  }
}

/** `tenant: () => …` gave nothing. Nothing was read or written: there is no tenant to fall back to. */
export class TenantRequiredError extends PgStashError {
  constructor() {
    super(
      'TENANT_REQUIRED',
      'the tenant function gave no tenant for this call. Run the call where the tenant is known (inside AsyncLocalStorage.run), or name a tenant.',
    )
  }
}

/** Several Keyv instances share one store object, and this call does not tell which of them made it. */
export class AmbiguousNamespaceError extends PgStashError {
  constructor(
    readonly operation: string,
    readonly namespaces: readonly string[],
  ) {
    super(
      'AMBIGUOUS_NAMESPACE',
      `${operation} could belong to any of the namespaces ${namespaces.map((name) => JSON.stringify(name)).join(', ')}, which share one KeyvPgStore. ` +
        'Nothing was read or written. Give each Keyv a store of its own: new Keyv(store.view("…")), ' +
        'or new KeyvPgStore(stash) for each; they share the stash and its connections.',
    )
  }
}

/** cache-manager: `isCacheable` said no. */
export class NotCacheableError extends PgStashError {
  constructor() {
    super(
      'NOT_CACHEABLE',
      'the value is not cacheable by isCacheable (by default: undefined is not). Nothing was stored.',
    )
  }
}

/** The stash was closed, by `close()` or by the store that opened it. */
export class StashClosedError extends PgStashError {
  constructor() {
    super('CLOSED', 'the stash is closed. Make a new PgStash, or close it after its last use.')
  }
}

/** What became of a write that nobody waited for to the end: `not-sent` (it never left), or `unknown` (it may still be applied). */
export type Outcome = 'not-sent' | 'unknown'

/** The call took longer than `timeoutMs`. */
export class CallTimeoutError extends PgStashError {
  constructor(
    readonly timeoutMs: number,
    readonly outcome: Outcome,
    cause?: unknown,
  ) {
    super('TIMEOUT', `no answer within ${timeoutMs} ms; ${told(outcome)}. Check the database, or raise timeoutMs.`, {
      cause,
    })
  }
}

/** The call's signal was aborted; `cause` is the signal's reason. */
export class CallAbortedError extends PgStashError {
  constructor(
    readonly outcome: Outcome,
    cause: unknown,
  ) {
    super('ABORTED', `the call was aborted by its signal; ${told(outcome)}.`, { cause })
  }
}

/** The database could not be reached, or refused or lost the connection. The next call tries again. */
export class ConnectionError extends PgStashError {
  constructor(
    readonly outcome: Outcome,
    readonly sqlState: string | undefined,
    cause: unknown,
  ) {
    super(
      'CONNECTION',
      `no connection to PostgreSQL (${detailOf(cause)}); ${told(outcome)}. Check the address (an option, or DATABASE_URL) and the server; the next call tries again.`,
      { cause },
    )
  }
}

/** Connections failed repeatedly: calls fail at once until a probe gets through. */
export class CircuitOpenError extends PgStashError {
  readonly outcome: Outcome = 'not-sent'

  constructor(cause?: unknown) {
    super(
      'CIRCUIT_OPEN',
      'PostgreSQL was unreachable several times in a row, so calls fail at once for a moment; nothing was sent. Check the server: calls work again as soon as it does.',
      { cause },
    )
  }
}

/** PostgreSQL refused a statement. `sqlState` is its SQLSTATE. */
export class DatabaseError extends PgStashError {
  constructor(
    readonly sqlState: string | undefined,
    cause: unknown,
  ) {
    super(
      'DATABASE',
      `PostgreSQL refused the statement (${sqlState ?? 'no SQLSTATE'}: ${detailOf(cause)}). ${afterRefusal(sqlState)}`,
      { cause },
    )
  }
}

/** Where a text is stored. Of a long key the digest is asked for first: it is the value then that holds it. */
export type StoredField = 'tenant' | 'namespace' | 'key' | 'value'

/** The encoding of the database lacks a character of the call. Nothing of this call was read or written; others in its batch are not touched. */
export class EncodingError extends PgStashError {
  readonly sqlState = '22P05'

  constructor(
    readonly field: StoredField,
    readonly character: string,
    readonly encoding: string,
    cause: unknown,
  ) {
    super(
      'ENCODING',
      `the ${field} holds ${JSON.stringify(character)}, for which the encoding of the database, ${encoding}, has no place. Encode the ${field} first (encodeURIComponent, base64), or make the database anew with encoding UTF8.`,
      { cause },
    )
  }
}

/** The role may not do what the call needs. */
export class PrivilegeError extends PgStashError {
  readonly sqlState = '42501'

  constructor(need: string, nextStep: string, cause: unknown) {
    super('PRIVILEGE', `the database role lacks rights: ${need} (${detailOf(cause)}). ${nextStep}`, { cause })
  }
}

/** What is wrong with a role: the policies do not hold for it, are not forced, or (`isolated`) hold for one that has to see every tenant. */
export type UnsafeRoleReason = 'superuser' | 'bypassrls' | 'owner' | 'not-forced' | 'isolated'

/** The role does not fit `isolation`. Nothing was read or written. */
export class UnsafeRoleError extends PgStashError {
  constructor(
    readonly reason: UnsafeRoleReason,
    readonly role: string,
    readonly schema: string,
  ) {
    super('UNSAFE_ROLE', unsafeRoleMessage(reason, role, schema))
  }
}

function unsafeRoleMessage(reason: UnsafeRoleReason, role: string, schema: string): string {
  const [who, where] = [JSON.stringify(role), JSON.stringify(schema)]
  if (reason === 'not-forced')
    return `row-level security is not forced on the tables of ${where}. Run "${migrateStep(schema, '--isolation rls')}" as their owner.`
  if (reason === 'isolated')
    return `the tables of ${where} are under row-level security, which holds for the role ${who}. Pass isolation: 'rls' (on the command line --isolation rls); where all tenants are looked at, for \`maintenance\` and for cleanup, connect as the owner of the tables.`
  return (
    `row-level security does not hold for the role ${who}: it ${standing[reason]}. Connect as another ` +
    `("create role app login password '…'"), after "${migrateStep(schema, '--isolation rls --app-role app')}" as the owner, and give the owner's connection as \`maintenance\`.`
  )
}

const standing = {
  superuser: 'is a superuser',
  bypassrls: 'has BYPASSRLS',
  owner: 'owns the tables, or is a member of the role that does',
} as const

/** `isolation: 'rls'`: this needs the owner's role, and the stash was given none. */
export class MaintenanceRequiredError extends PgStashError {
  constructor(readonly operation: string) {
    super(
      'MAINTENANCE_REQUIRED',
      `${operation}() looks at all tenants, which the application's role may not. Pass the connection of the owner: new PgStash({ …, maintenance: { connectionString } }).`,
    )
  }
}

/** The schema is missing or older than this version needs, and the stash may not migrate by itself. */
export class SchemaOutdatedError extends PgStashError {
  constructor(
    readonly schema: string,
    readonly found: number,
    readonly needed: number,
    /** Of the stash that looked. */
    isolation: 'column' | 'rls' = 'column',
  ) {
    const flags = flagsOf(isolation)
    const from = found > 0 ? `--print --from ${found}` : '--print'
    super(
      'SCHEMA_OUTDATED',
      `the schema ${JSON.stringify(schema)} is ${found === 0 ? 'not there' : `at migration ${found}`}; this version of pgstash needs it at ${needed}. ` +
        `Run "${migrateStep(schema, flags)}", or apply the output of "${migrateStep(schema, flags === '' ? from : `${from} ${flags}`)}". ` +
        "A stash does it by itself, but not with migrate: false, nor with isolation: 'rls' without maintenance.",
    )
  }
}

/** The schema was made by a newer version of this package. */
export class SchemaTooNewError extends PgStashError {
  constructor(
    readonly schema: string,
    readonly found: number,
    readonly known: number,
  ) {
    super(
      'SCHEMA_TOO_NEW',
      `the schema ${JSON.stringify(schema)} is at migration ${found}, this version of pgstash knows ${known}. Upgrade pgstash, or use another schema.`,
    )
  }
}

/** PostgreSQL older than 14. */
export class UnsupportedServerError extends PgStashError {
  constructor(readonly serverVersion: number) {
    super(
      'UNSUPPORTED_SERVER',
      `PostgreSQL ${Math.floor(serverVersion / 10_000)} is too old: pgstash needs 14 or later. Upgrade the server.`,
    )
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
function afterRefusal(sqlState: string | undefined): string {
  switch (sqlState) {
    case '22021': // character_not_in_repertoire
    case '22P05': // untranslatable_character
      return 'The encoding of the database has no such character: encode the text first, or make the database anew with encoding UTF8 ("pgstash doctor" says which it has).'
    case '25006': // read_only_sql_transaction
      return 'Connect to the primary, or end the read-only state.'
    case '3F000': // invalid_schema_name
    case '42704': // undefined_object: a role
    case '42P01': // undefined_table
      return 'Check the name, and the database that the address leads to; or create it first.'
    case '42703': // undefined_column
      return 'The table is of another make: check its name.'
    case '53100': // disk_full
      return "Make room on the server's disk."
    default:
      return "Look the SQLSTATE up; the cause has the server's own words."
  }
}

function told(outcome: Outcome): string {
  return outcome === 'not-sent' ? 'nothing was sent' : 'a write may have been applied'
}

/** A connection refused on every address is an AggregateError whose own message is empty. */
function detailOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return detailOf(cause.errors[0])
  if (cause instanceof Error) return cause.message || cause.name
  return String(cause)
}
