import type { Asked } from './request'

/** How large a batch may grow. */
export interface BatchLimits {
  readonly maxRows: number
  readonly maxBytes: number
}

/** One verb of the table: what makes its requests a statement, and its rows answers. */
export interface LaneRules<Payload, Answer, Result> {
  /** As meters and events call it. */
  readonly operation: string
  readonly isRead: boolean
  /** Whether calls on one key may share a request. */
  readonly isShared: boolean
  /** Whether one more may, with this payload. Default: yes. */
  mayJoin?(request: Asked<Payload, Answer>, payload: Payload): boolean
  /** Whether the database refused the sharers together, and each of them has to be asked for alone. */
  isRefused?(result: Result): boolean
  /** Of reads: whether something was found. Default: the answer is not undefined. */
  isHit?(answer: Answer): boolean
  /** What a payload adds to a batch, about, in bytes. */
  bytesOf?(payload: Payload): number
  /** Runs one statement; results in the order of the requests. */
  run(requests: readonly Asked<Payload, Answer>[]): Promise<readonly Result[]>
  /** The answer for the sharer at `position`. May throw: then that sharer alone fails. */
  answer(result: Result, request: Asked<Payload, Answer>, position: number): Answer
}

/** What is asked about one of the keys of a call; without payloads, nothing but the key. */
export function payloadAt<Payload>(payloads: readonly Payload[] | undefined, at: number): Payload {
  return (payloads === undefined ? null : payloads[at]) as Payload
}

/** One key of a call, with what is asked about it. */
export interface Item<Payload> {
  /** As the index holds it. */
  readonly key: string
  readonly payload: Payload
}
