/** I: none is open. T: one is open. E: one is open and has failed. As the server says it with every ReadyForQuery. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** What is used of the connection of a `pg.Client`, of any version. */
export interface ReadyConnection {
  prependListener?(
    event: 'readyForQuery',
    listener: (message: { readonly status?: TransactionStatus }) => void,
  ): unknown
  once?(event: 'readyForQuery', listener: () => void): unknown
}

/** What is used of a client. Those that are none of `pg`'s may have nothing of it. */
export interface StatusClient {
  readonly connection?: ReadyConnection
  /** false: a statement is under way, be it one that the application did not wait for. */
  readonly readyForQuery?: boolean
  /** `pg` 8.17 and later, also over libpq. */
  getTransactionStatus?(): TransactionStatus | null
}

/** The status of one connection, kept up to date for as long as it lives. */
export interface Watched {
  status: TransactionStatus | undefined
}

const watchedConnections = new WeakMap<ReadyConnection, Watched>()

/**
 * Listens to the connection itself: `pg` before 8.17 keeps no status. In front of the client's own listener, which tells the query that it is done.
 */
export function watch(connection: ReadyConnection): Watched {
  let watched = watchedConnections.get(connection)
  if (watched === undefined) {
    const seen: Watched = { status: undefined }
    connection.prependListener?.('readyForQuery', ({ status }) => {
      seen.status = status
    })
    watchedConnections.set(connection, seen)
    watched = seen
  }
  return watched
}

/** undefined: the client does not tell it, or not yet. */
export function statusOf(client: StatusClient): TransactionStatus | undefined {
  if (client.readyForQuery === false) return undefined
  const watched = client.connection && watchedConnections.get(client.connection)
  return watched?.status ?? client.getTransactionStatus?.() ?? undefined
}

export function isOpen(status: TransactionStatus | undefined): boolean {
  return status === 'T' || status === 'E'
}
