import type { Store as LimitStore } from 'express-rate-limit'
import type { Store as SessionStore } from 'express-session'
import type Keyv from 'keyv'

/** Of the limit. */
export const windowMs = 900_000

/** What the app stands on: a store of each of its three hosts. */
export interface Stack {
  readonly limits: LimitStore
  readonly sessions: SessionStore
  readonly cache: Keyv
  /** Statements so far, where the stores tell. */
  statements?(): number
  /** Empties what it used, and closes. */
  close(): Promise<void>
}

/** Where a stack finds its servers. */
export interface Places {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** The folder `dist` of the build of this package to stand on. Default: this one. */
  readonly dist?: string | undefined
}

/** By the name that its figures are told by. */
export const stackNames = ['pgstash', 'memory stores', 'Redis stores', 'PostgreSQL stores'] as const

export type StackName = (typeof stackNames)[number]
