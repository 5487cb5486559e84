import type { Located } from './located'

/** What a lane has to know of a failure, and cannot by itself: it knows no database. */
export interface FailureKinds {
  /** Whether the data of one row may be to blame: the batch is then halved until that row stands alone. */
  isOfOneRow(error: unknown): boolean
  /** The failure of one row as its callers are told it; most as they are. */
  toldOf(error: unknown, asked: Located): unknown
}
