import type { Row } from '../wire/driver'
import type { Statement } from '../wire/statement'
import type { LogPage, LogPosition } from './log-page'
import type { Telling } from './telling'

/** What the log asks through: as a `StatementRunner`, and as a tenant where row-level security wants one. */
export interface LogRunner {
  read(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]>
  write(statement: Statement, values: readonly unknown[], tenant?: string): Promise<readonly Row[]>
}

export interface LogOptions {
  readonly schema: string
  /** Whether statements about a tenant's rows have to say whose they are. */
  readonly isScoped: boolean
}

/**
 * The log of what was written in marked namespaces, as one process reads it. Statements of its own, never behind the calls that coalesce.
 */
export class InvalidationLog {
  constructor(_runner: LogRunner, _telling: Telling, _options: LogOptions) {}

  /**
   * What was committed since a position, every row once.
   * @param since undefined: where the log stands now, and no rows
   * @throws the errors of this package only
   */
  poll(_since: LogPosition | undefined): Promise<LogPage> {
    return Promise.reject(new Error('not built yet'))
  }

  /** Makes a turn where the newest one is old, and removes what everybody has read. Asks nothing where the last poll saw that there is nothing to do. */
  keep(): Promise<void> {
    return Promise.reject(new Error('not built yet'))
  }

  /**
   * Marks a namespace, if it is not marked; resolves when every write of it that may still come is one that logs. Calls of one tick travel together.
   * @param kind of what: entries, or sessions
   */
  mark(_tenant: string, _namespace: string, _kind: 'entries' | 'sessions' = 'entries'): Promise<void> {
    return Promise.reject(new Error('not built yet'))
  }
}
