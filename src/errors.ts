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

/**
 * An argument that is refused before any SQL. `field` names it.
 * @nextStep Pass what the message asks for: it names the argument or option, and what it may be.
 */
export class InvalidArgumentError extends PgStashError {
  /** The argument or option that will not do: `ttl`, `batch.maxRows`. */
  readonly field: string

  constructor(field: string, problem: string, nextStep: string, code = 'INVALID_ARGUMENT') {
    super(code, `${field} ${problem}. ${nextStep}`)
    this.field = field
  }
}

/**
 * A value that JSON cannot say: a BigInt, a cycle, a function, NaN, undefined.
 * @nextStep Store JSON data, a string, an integer or a Buffer; convert the value first.
 */
export class UnserialisableValueError extends PgStashError {
  /** Always `value`. */
  readonly field = 'value'

  constructor(problem: string, cause?: unknown) {
    super(
      'UNSERIALISABLE_VALUE',
      `value ${problem}. Store JSON data, a string, an integer or a Buffer; convert it first.`,
      { cause },
    )
  }
}

/**
 * A value over `maxValueBytes`.
 * @nextStep Store less (compress it, or store a reference to it), or raise `maxValueBytes`.
 */
export class ValueTooLargeError extends PgStashError {
  /** Always `value`. */
  readonly field = 'value'

  constructor(
    /** What it takes as stored. */
    readonly bytes: number,
    /** What the stash accepts. */
    readonly maxValueBytes: number,
  ) {
    super(
      'VALUE_TOO_LARGE',
      `value takes ${bytes} bytes, the limit is ${maxValueBytes}. Store less, or raise maxValueBytes.`,
    )
  }
}

/**
 * `increment` met something that is no integer, or a sum beyond ±(2^53 - 1).
 * @nextStep Delete the key, or set it to an integer, and count in a key that nothing else writes.
 */
export class NotAnIntegerError extends PgStashError {
  constructor() {
    super(
      'NOT_AN_INTEGER',
      'increment needs an integer entry whose sum a JavaScript number can hold. Delete the key, or set it to an integer, first.',
    )
  }
}

/**
 * `set` with `ifVersion`, or a session with `lostUpdates: 'reject'`: it has another version by now, or is gone. Nothing was written.
 * @nextStep Read it again, decide anew, and write with the version that was read.
 */
export class VersionConflictError extends PgStashError {
  constructor(
    /** The version that the write asked for. */
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

/**
 * `tenant: () => …` gave nothing. Nothing was read or written: there is no tenant to fall back to.
 * @nextStep Run the call where the tenant is known (inside `AsyncLocalStorage.run`), or name a tenant.
 */
export class TenantRequiredError extends PgStashError {
  constructor() {
    super(
      'TENANT_REQUIRED',
      'the tenant function gave no tenant for this call. Run the call where the tenant is known (inside AsyncLocalStorage.run), or name a tenant.',
    )
  }
}

/**
 * Several Keyv instances share one store object, and this call does not tell which of them made it.
 * @nextStep Give each Keyv a store of its own: `new Keyv(store.view("posts"))`, or `new KeyvPgStore(stash)` for each. They share the stash and its
 * connections.
 */
export class AmbiguousNamespaceError extends PgStashError {
  constructor(
    /** The verb that was called. */
    readonly operation: string,
    /** Those that share the store. */
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

/**
 * cache-manager: `isCacheable` said no.
 * @nextStep Do not cache such a value, or let the option `isCacheable` accept it.
 */
export class NotCacheableError extends PgStashError {
  constructor() {
    super(
      'NOT_CACHEABLE',
      'the value is not cacheable by isCacheable (by default: undefined is not). Nothing was stored. Do not cache it, or let isCacheable accept it.',
    )
  }
}

/**
 * The stash was closed, by `close()` or by the store that opened it.
 * @nextStep Close the stash after its last use (after the HTTP server has ended, for example), or make a new one.
 */
export class StashClosedError extends PgStashError {
  constructor() {
    super('CLOSED', 'the stash is closed. Make a new PgStash, or close it after its last use.')
  }
}

/** What became of a write that was not answered: `not-sent` (it never left), `rolled-back` (the server undid it), or `unknown` (it may still be applied). */
export type Outcome = 'not-sent' | 'rolled-back' | 'unknown'

/**
 * The call took longer than `timeoutMs`, or than a limit of the server's, which `sqlState` then tells.
 * @nextStep Look at what the database does (`pg_stat_activity`), or raise the limit that the message names: `timeoutMs`, or one of the server. Of a write,
 * `outcome` says whether it may have been applied.
 */
export class CallTimeoutError extends PgStashError {
  constructor(
    /** The time limit of the stash, in milliseconds. */
    readonly timeoutMs: number,
    /** What became of the write, if it was one. */
    readonly outcome: Outcome,
    cause?: unknown,
    /** Of the limit of the server that ended it; undefined: it was `timeoutMs`. */
    readonly sqlState?: string,
  ) {
    super('TIMEOUT', timeoutMessage(timeoutMs, outcome, sqlState, cause), { cause })
  }
}

function timeoutMessage(timeoutMs: number, outcome: Outcome, sqlState: string | undefined, cause: unknown): string {
  if (sqlState === undefined)
    return `no answer within ${timeoutMs} ms; ${told(outcome)}. Check the database, or raise timeoutMs.`
  return `PostgreSQL ended it (${sqlState}: ${detailOf(cause)}); ${told(outcome)}. ${afterLimit(sqlState)}`
}

function afterLimit(sqlState: string): string {
  switch (sqlState) {
    case '55P03': // lock_not_available
      return 'Somebody holds what it waits for (pg_stat_activity, pg_locks): end that transaction, or raise lock_timeout of the role, the database or the connection.'
    case '25P03': // idle_in_transaction_session_timeout
      return 'This process was kept from going on with its transaction: look for what blocks its event loop, or raise idle_in_transaction_session_timeout.'
    case '25P04': // transaction_timeout
      return 'Look for what holds it up (pg_stat_activity), or raise transaction_timeout of the role, the database or the connection.'
    default:
      // 57014, query_canceled: by statement_timeout, or by somebody's pg_cancel_backend()
      return 'Look for what holds it up (pg_stat_activity), or raise statement_timeout of the role, the database or the connection; unless somebody cancelled it.'
  }
}

/**
 * The call's signal was aborted; `cause` is the signal's reason.
 * @nextStep None is needed: the caller wanted it. Of a write, `outcome` says whether it may have been applied.
 */
export class CallAbortedError extends PgStashError {
  constructor(
    /** What became of the write, if it was one. */
    readonly outcome: Outcome,
    cause: unknown,
  ) {
    super('ABORTED', `the call was aborted by its signal; ${told(outcome)}.`, { cause })
  }
}

/**
 * There was no connection to be had, or it was lost. The next call tries again.
 * @nextStep Do what the message says of its cause: check the address and the server, the password, the number of connections. The next call tries again by
 * itself. Of a write, `outcome` says whether it may have been applied.
 */
export class ConnectionError extends PgStashError {
  constructor(
    /** What became of the write, if it was one. */
    readonly outcome: Outcome,
    /** What the server said, if it said something; undefined: nobody answered. */
    readonly sqlState: string | undefined,
    cause: unknown,
    nextStep = 'Check the address (an option, or DATABASE_URL) and the server.',
  ) {
    super(
      'CONNECTION',
      `no connection to PostgreSQL (${detailOf(cause)}); ${told(outcome)}. ${nextStep} The next call tries again.`,
      { cause },
    )
  }
}

/**
 * Connections failed repeatedly, or writes on a server that is read-only: calls fail at once until a probe gets through.
 * @nextStep Check the server. Calls work again as soon as it does; `onError: 'miss'` answers reads meanwhile as if nothing were stored.
 */
export class CircuitOpenError extends PgStashError {
  /** Always `not-sent`. */
  readonly outcome: Outcome = 'not-sent'

  constructor(cause?: unknown) {
    const last = cause === undefined ? '' : ` (at last: ${detailOf(cause)})`
    super(
      'CIRCUIT_OPEN',
      `PostgreSQL was unreachable, or refused to write, several times in a row${last}, so calls fail at once for a moment; nothing was sent. Check the server: calls work again as soon as it does.`,
      { cause },
    )
  }
}

/**
 * A client came back to the pool with a transaction open. What is done in it is not committed: nothing of this call was applied.
 * @nextStep Look for a client of your pool that is released between `begin` and `commit` or `rollback`; on PGlite, begin transactions by
 * `pglite.transaction(…)`.
 */
export class OpenTransactionError extends PgStashError {
  /** What became of the write, if it was one. */
  readonly outcome: Outcome

  constructor(cause?: unknown, outcome: Outcome = 'rolled-back') {
    super(
      'OPEN_TRANSACTION',
      `the connection came with a transaction open that somebody has begun and not ended; ${openTransactionStep[outcome]}`,
      { cause },
    )
    this.outcome = outcome
  }
}

const openTransactionStep: Readonly<Record<Outcome, string>> = {
  'not-sent':
    "nothing was sent. Begin transactions by pglite.transaction(…), which others wait for, and not by exec('begin').",
  'rolled-back':
    'the connection was given up, and nothing was applied. Release a client only after commit or rollback: look for connect() followed by begin, and a release() that an error or a return gets to first.',
  unknown:
    "what was done is committed or rolled back with it. Begin transactions by pglite.transaction(…), which others wait for, and not by exec('begin').",
}

/**
 * `lock()` or `withLock()` waited for `waitMs`, and somebody else held the lock all the while. Nothing was run.
 * @nextStep Try again later, or raise `waitMs`; where it is held for too long, look at what its holder does under it. `tryLock` answers undefined in the place of this error.
 */
export class LockTimeoutError extends PgStashError {
  constructor(
    /** The name of the lock. */
    readonly lockName: string,
    /** How long it was waited for, in milliseconds. */
    readonly waitMs: number,
  ) {
    super(
      'LOCK_TIMEOUT',
      `the lock ${JSON.stringify(lockName)} was held by somebody else for ${waitMs} ms. Try again later, or raise waitMs; or do less while holding it.`,
    )
  }
}

/** How a lock was lost: `expired` (it could not be renewed in time), `taken` (somebody else has it by now), or `closed` (the stash was closed under it). */
export type LockLoss = 'expired' | 'taken' | 'closed'

/**
 * The lock was lost while it was held: somebody else may have it. The reason of `lock.signal`, and what `withLock` rejects with where its function ended without an error.
 * @nextStep Stop what the lock was for, and guard its writes by `lock.token`, so that those which come too late are refused. Where it happens often, look for what keeps the process or the
 * database from renewing the lease (a blocked event loop, a database that is away), or raise `leaseMs`.
 */
export class LockLostError extends PgStashError {
  constructor(
    /** The name of the lock. */
    readonly lockName: string,
    /** The fencing token of the lock that was lost. */
    readonly token: number,
    /** How it was lost. */
    readonly reason: LockLoss,
  ) {
    super('LOCK_LOST', `the lock ${JSON.stringify(lockName)} (token ${token}) was lost: ${lossOf[reason]}`)
  }
}

const lossOf: Readonly<Record<LockLoss, string>> = {
  expired:
    'it was not renewed in time. Stop what it was for; look for what blocks the event loop, or for a database that is away, or raise leaseMs.',
  taken:
    'its lease ran out, and somebody else has taken it. Stop what it was for; writes that are guarded by the token are refused.',
  closed: 'the stash was closed while it was held. Release locks before close().',
}

/**
 * A load took too long: longer than the caller waits (`hardTimeoutMs`; it goes on, and is stored), or longer than a load may (`maxLoadMs`; its signal is aborted, and nothing is stored).
 * @nextStep Try again later: what goes on may be there by then. Or make the loader faster, let it end by `signal`, or raise the limit. With `grace` and a `softTimeoutMs` that is shorter a stale value is answered before, where one is there.
 */
export class LoadTimeoutError extends PgStashError {
  constructor(
    /** The key, as the caller wrote it. */
    readonly key: string,
    /** The limit, in milliseconds. */
    readonly timeoutMs: number,
    /** Whether the load goes on. */
    readonly isLoading: boolean,
  ) {
    super(
      'LOAD_TIMEOUT',
      isLoading
        ? `the load takes longer than ${timeoutMs} ms. It goes on, and is stored: try again later, or raise hardTimeoutMs.`
        : `the load took longer than ${timeoutMs} ms, and was given up. Look for what it waits for, let it end by its signal, or raise maxLoadMs.`,
    )
  }
}

/**
 * A loader asks, directly or through other loaders of this process, for the key that it is to load: it would wait for itself for ever.
 * @nextStep Load what both need under a key of its own. What is there already can be read with `get`, or is `context.stale`.
 */
export class LoadCycleError extends PgStashError {
  constructor(
    /** The key, as the caller wrote it. */
    readonly key: string,
  ) {
    super(
      'LOAD_CYCLE',
      'a loader waits for itself: it asks, perhaps through other loaders, for the key that it loads. Load what both need under a key of its own.',
    )
  }
}

/**
 * PostgreSQL refused a statement. `sqlState` is its SQLSTATE.
 * @nextStep Do what the message says of the SQLSTATE; of one that it does not know, look it up. The cause has the server's own words.
 */
export class DatabaseError extends PgStashError {
  constructor(
    /** The server's code of the refusal; undefined where it gave none. */
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

/**
 * The encoding of the database lacks a character of the call. Nothing of this call was read or written; others in its batch are not touched.
 * @nextStep Encode the text first (`encodeURIComponent`, base64), or make the database anew with encoding UTF8.
 */
export class EncodingError extends PgStashError {
  /** Always `22P05`, untranslatable_character. */
  readonly sqlState = '22P05'

  constructor(
    /** Where the character stands. */
    readonly field: StoredField,
    /** The first that the encoding lacks. */
    readonly character: string,
    /** Of the database, as it names it. */
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

/**
 * The role may not do what the call needs.
 * @nextStep Let the owner of the tables run `pgstash migrate --app-role <role>`, or connect as a role that may; the message says which right is missing.
 */
export class PrivilegeError extends PgStashError {
  /** Always `42501`, insufficient_privilege. */
  readonly sqlState = '42501'

  constructor(need: string, nextStep: string, cause: unknown) {
    super('PRIVILEGE', `the database role lacks rights: ${need} (${detailOf(cause)}). ${nextStep}`, { cause })
  }
}

/**
 * What is wrong with a role: the policies do not hold for it, are not forced, are not as they are meant (`policies`), do not stop all that it may (`rights`), or
 * (`isolated`) hold for one that has to see every tenant.
 */
export type UnsafeRoleReason = 'superuser' | 'bypassrls' | 'owner' | 'not-forced' | 'policies' | 'rights' | 'isolated'

/** Something that a role may, and row-level security does not stop. */
export interface ExcessRight {
  /** "truncate on entry through PUBLIC" */
  readonly told: string
  /** SQL that takes it away, for the owner of the tables or a superuser. */
  readonly cure: string
}

/**
 * The role does not fit `isolation`. Nothing was read or written.
 * @nextStep Connect as the role that the message describes, and let the owner run the `pgstash migrate` that it spells out.
 */
export class UnsafeRoleError extends PgStashError {
  /** Of `policies`: in what they are not as they are meant. */
  readonly faults: readonly string[]
  /** Of `rights`: what is too much. */
  readonly excess: readonly ExcessRight[]

  constructor(
    /** What is wrong with the role. */
    readonly reason: UnsafeRoleReason,
    /** The role that was looked at. */
    readonly role: string,
    /** The schema that it was looked at for. */
    readonly schema: string,
    { faults = [], excess = [] }: { faults?: readonly string[]; excess?: readonly ExcessRight[] } = {},
  ) {
    super('UNSAFE_ROLE', unsafeRoleMessage(reason, role, schema, faults, excess))
    this.faults = faults
    this.excess = excess
  }
}

function unsafeRoleMessage(
  reason: UnsafeRoleReason,
  role: string,
  schema: string,
  faults: readonly string[],
  excess: readonly ExcessRight[],
): string {
  const [who, where] = [JSON.stringify(role), JSON.stringify(schema)]
  if (reason === 'not-forced')
    return `row-level security is not forced on the tables of ${where}. Run "${migrateStep(schema, '--isolation rls')}" as their owner.`
  if (reason === 'policies') return policiesMessage(faults, who, schema)
  if (reason === 'rights')
    return `the role ${who} may do what row-level security does not stop: ${excess.map(({ told }) => told).join('; ')}. ${cureOfRights(excess, schema, role)}`
  if (reason === 'isolated')
    return `the tables of ${where} are under row-level security, which holds for the role ${who}. Pass isolation: 'rls' (on the command line --isolation rls); where all tenants are looked at, for \`maintenance\` and for cleanup, connect as the owner of the tables.`
  return (
    `row-level security does not hold for the role ${who}: it ${standing[reason]}. Connect as another ` +
    `("create role app login password '…'"), after "${migrateStep(schema, '--isolation rls --app-role app')}" as the owner, and give the owner's connection as \`maintenance\`.`
  )
}

function policiesMessage(faults: readonly string[], who: string, schema: string): string {
  const what =
    faults.length === 0
      ? `hold for the role ${who}, though it owns the tables: they name another owner`
      : `are not as they are meant (${faults.join('; ')})`
  return `the policies of row-level security in ${JSON.stringify(schema)} ${what}. Run "${migrateStep(schema, '--isolation rls')}" as the owner of the tables, or as a superuser.`
}

/** What takes rights away that are too much. */
export function cureOfRights(excess: readonly ExcessRight[], schema: string, role: string): string {
  const cures = [...new Set(excess.map(({ cure }) => cure))].map((cure) => `${cure};`).join(' ')
  const given = migrateStep(schema, `--isolation rls --app-role ${role}`)
  return `As the owner of the tables or a superuser: ${cures} "${given}" takes away what the owner granted to the role itself.`
}

const standing = {
  superuser: 'is a superuser',
  bypassrls: 'has BYPASSRLS',
  owner: 'owns the tables, or is a member of the role that does',
} as const

/**
 * `isolation: 'rls'`: this needs the owner's role, and the stash was given none.
 * @nextStep Pass the connection of the owner, `maintenance: { connectionString }`, to the stash of the process that does it.
 */
export class MaintenanceRequiredError extends PgStashError {
  constructor(
    /** The verb that was called. */
    readonly operation: string,
  ) {
    super(
      'MAINTENANCE_REQUIRED',
      `${operation}() looks at all tenants, which the application's role may not. Pass the connection of the owner: new PgStash({ …, maintenance: { connectionString } }).`,
    )
  }
}

/**
 * The schema is missing or older than this version needs, and the stash may not migrate by itself.
 * @nextStep Run `pgstash migrate` as the owner, or hand the output of `pgstash migrate --print` to whoever may; the message has the flags.
 */
export class SchemaOutdatedError extends PgStashError {
  constructor(
    /** The schema that was looked at. */
    readonly schema: string,
    /** The migration it is at; 0: it is not there. */
    readonly found: number,
    /** The migration this version of the package needs. */
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

/**
 * The schema was made by a newer version of this package.
 * @nextStep Upgrade pgstash in this process, or use another schema.
 */
export class SchemaTooNewError extends PgStashError {
  constructor(
    /** The schema that was looked at. */
    readonly schema: string,
    /** The migration it is at. */
    readonly found: number,
    /** The last migration that this version of the package knows. */
    readonly known: number,
  ) {
    super(
      'SCHEMA_TOO_NEW',
      `the schema ${JSON.stringify(schema)} is at migration ${found}, this version of pgstash knows ${known}. Upgrade pgstash, or use another schema.`,
    )
  }
}

/**
 * The connection searches a schema before pg_catalog: whoever may create in it could exchange `=`, and have it run with this role's rights.
 * @nextStep Leave `pg_catalog` out of the `search_path`, or put it first: of the role, the database or the connection.
 */
export class UnsafeSearchPathError extends PgStashError {
  constructor(
    /** The schema that is searched before pg_catalog. */
    readonly first: string,
  ) {
    super(
      'UNSAFE_SEARCH_PATH',
      `the search_path of the connection names pg_catalog, and ${JSON.stringify(first)} before it. Leave pg_catalog out of it (PostgreSQL then looks there first), or put it first: it is set for the role, the database, or the connection.`,
    )
  }
}

/** A transaction that stands in the way of a change of the schema. */
export interface LockHolder {
  /** Of its backend, for `pg_terminate_backend`. */
  readonly pid: number
  /** The role it is connected as. */
  readonly user: string
  /** Its `application_name`. */
  readonly application: string
  /** null: this role may not know. */
  readonly state: string | null
  /** How old its transaction is; null: this role may not know. */
  readonly ageMs: number | null
}

/**
 * The tables were held by others for longer than a change of the schema may wait, for all would have to wait behind it. Nothing was changed.
 * @nextStep Wait for the transactions that the message names, or end them (`select pg_terminate_backend(pid)`), and run it again.
 */
export class SchemaLockedError extends PgStashError {
  constructor(
    /** The schema whose definitions were to be changed. */
    readonly schema: string,
    /** Oldest first; empty: they had ended when they were looked for. */
    readonly holders: readonly LockHolder[],
    cause: unknown,
  ) {
    super(
      'SCHEMA_LOCKED',
      `the definitions of ${JSON.stringify(schema)} could not be changed, for its tables are in use: ${holders.map(toldHolder).join('; ') || 'by a transaction that has ended since'}. ` +
        `Nothing was changed. ${holders[0] === undefined ? 'Run it again.' : `Wait for that to end, or end it (select pg_terminate_backend(${holders[0].pid})), and run it again.`}`,
      { cause },
    )
  }
}

function toldHolder({ pid, user, application, state, ageMs }: LockHolder): string {
  const age = ageMs === null ? 'of unknown age' : `${Math.round(ageMs / 1_000)} s old`
  return `pid ${pid} of ${user} (application ${JSON.stringify(application)}, ${state ?? 'state unknown'}), its transaction ${age}`
}

/**
 * PostgreSQL older than 14.
 * @nextStep Upgrade the server to PostgreSQL 14 or later.
 */
export class UnsupportedServerError extends PgStashError {
  constructor(
    /** As `server_version_num` says it: 130014. */
    readonly serverVersion: number,
  ) {
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
      return 'Nothing was applied. Connect to the primary, or end the read-only state; the next write asks for another connection.'
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
  if (outcome === 'rolled-back') return 'nothing was applied'
  return outcome === 'not-sent' ? 'nothing was sent' : 'a write may have been applied'
}

/** A connection refused on every address is an AggregateError whose own message is empty. */
function detailOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return detailOf(cause.errors[0])
  if (cause instanceof Error) return cause.message || cause.name
  return String(cause)
}

/** Why nothing can be held near. */
export type NearCacheReason = 'standby' | 'read-only' | 'rights' | 'schema'

/**
 * A namespace is to be held near, and the log that this takes cannot be read: on a standby, without the right, or in a schema from before it. Reads of the namespace fail with it until the
 * log was read once; never after that.
 * @nextStep Connect to the primary; as the owner run `pgstash migrate` (with `--app-role` under row-level security); or leave out `near`.
 */
export class NearCacheError extends PgStashError {
  constructor(
    /** `standby`: its unlogged tables cannot be read. `read-only`: the session may not begin the log, which nobody has read yet. `rights`: the role may not read the log. `schema`: there is no log. */
    readonly reason: NearCacheReason,
    schema: string,
    cause?: unknown,
  ) {
    super('NEAR_CACHE', `nothing can be held near: ${nearProblems[reason]}. ${nearCure(reason, schema)}`, { cause })
  }
}

const nearProblems: Record<NearCacheReason, string> = {
  standby: 'the server is a standby, where the log of what was written cannot be read',
  'read-only': 'the log of what was written has to be begun, and the session may only read',
  rights: 'the role has no right on the log of what was written',
  schema: 'the schema has no log of what was written',
}

function nearCure(reason: NearCacheReason, schema: string): string {
  if (reason === 'standby') return 'Connect to the primary, or leave out near.'
  if (reason === 'read-only') return 'Connect without default_transaction_read_only, or leave out near.'
  return `Run "${migrateStep(schema)}" as the owner of the tables, or leave out near.`
}
