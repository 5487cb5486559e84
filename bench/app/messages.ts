/** What the process of the app is asked. */
export type Question = 'start' | 'stop' | 'close'

/** What it has spent between `start` and `stop`. */
export interface Spent {
  /** CPU of its process, user and system together, in microseconds. */
  readonly nodeUs: number
  /** Writes to the sockets of its servers. */
  readonly roundTrips: number
  /** NaN: the stores do not tell. */
  readonly statements: number
}

/** Each question is answered, in order; before the first one it says where it listens. */
export type Answer =
  | { readonly is: 'listening'; readonly port: number }
  | { readonly is: 'started' }
  | { readonly is: 'stopped'; readonly spent: Spent }
  | { readonly is: 'closed' }
