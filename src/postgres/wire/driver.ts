import type { Statement } from './statement'

/** A row as an array, in the order of the select list. bigint arrives as a number. */
export type Row = readonly unknown[]

/** Where a statement can run: a pool, one PGlite, or the connection of a transaction. */
export interface Connection {
  /** Runs one statement and answers its rows. Rejects with what the database or the socket said, unchanged. */
  query(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]>
}

/** The one thing this package needs of a PostgreSQL client. Two bodies (pg, PGlite) keep it honest. */
export interface Driver extends Connection {
  /** As of a connection; with a tenant, in a transaction of its own in which the policies see that tenant. */
  query(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]>

  /** Runs `work` on one connection between begin and commit; rolls back and rejects when it rejects. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>

  /** The database's default isolation is another one: from now on each statement says that it wants read committed. */
  demandReadCommitted(): void

  /** Runs `work`; the statements that it asks for leave together, in one packet, where the driver can. None may take long: the others wait behind it. */
  together(work: () => void): void

  /** undefined: nobody knows. */
  poolUse(): PoolUse | undefined

  /** Ends what this driver opened, once; leaves alone what was passed in. */
  close(): Promise<void>
}

/** The connections of a pool, and who waits for one. */
export interface PoolUse {
  /** Connections that are open. */
  readonly total: number
  /** Of these, those that nobody uses. */
  readonly idle: number
  /** Who waits for a connection. */
  readonly waiting: number
}

/** A connection inside a transaction; `script` runs several statements that take no values. */
export interface Transaction extends Connection {
  script(text: string): Promise<void>
}
