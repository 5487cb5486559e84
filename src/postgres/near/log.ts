import beginIncarnation from '../../../sql/statements/near/begin.sql'
import keepLog from '../../../sql/statements/near/keep.sql'
import pollLog from '../../../sql/statements/near/poll.sql'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { LogKind, LogPage, LogPosition, LogRow, LostRows } from './log-page'
import type { LogOptions, LogRunner } from './log-runner'
import { type MarkedKind, Marking } from './marking'
import type { Telling } from './telling'

/** Rows a statement removes at most: some ten milliseconds. */
const prunedPerStep = 20_000

/** A crash between two statements may empty the log again; more often than that it is no crash. */
const mostBeginnings = 5

/**
 * The log of what was written in marked namespaces, as one process reads it. Statements of its own, never behind the calls that coalesce.
 */
export class InvalidationLog {
  readonly #runner: LogRunner
  readonly #poll: Statement
  readonly #begin: Statement
  readonly #keep: Statement
  readonly #marking: Marking
  #isDue = false

  constructor(runner: LogRunner, telling: Telling, options: LogOptions) {
    this.#runner = runner
    this.#poll = statementOf(pollLog, options.schema)
    this.#begin = statementOf(beginIncarnation, options.schema)
    this.#keep = statementOf(keepLog, options.schema)
    this.#marking = new Marking(runner, telling, options)
  }

  /**
   * What was committed since a position, every row once.
   * @param since undefined: where the log stands now, and no rows
   * @throws the errors of this package only
   */
  async poll(since: LogPosition | undefined): Promise<LogPage> {
    const page = await this.#read(since)
    if (since !== undefined) return page
    // Only this one looks at rows: who has no right to them is told at once.
    const { position, pruned } = await this.#read(page.position)
    return { position, pruned, rows: [], lost: undefined }
  }

  async #read(since: LogPosition | undefined): Promise<LogPage> {
    const values = since === undefined ? [null, null] : [since.xmax, since.xip.join(',')]
    for (let attempt = 1; ; attempt += 1) {
      const [head, ...rows] = await this.#runner.read(this.#poll, values)
      const [, xmax, xip, turn, pruned, incarnation, isDue] = head as Head
      if (incarnation !== null || attempt > mostBeginnings) {
        this.#isDue = isDue === true
        const position = {
          xmax,
          xip: xip === null ? [] : xip.split(','),
          turn: turn ?? 0,
          incarnation: incarnation ?? '',
        }
        const page = { position, pruned: pruned ?? 0, rows: rows.map(rowOf) }
        return { ...page, lost: since && lostBetween(since, page) }
      }
      await this.#runner.write(this.#begin, [])
    }
  }

  /**
   * Makes a turn where the newest one is old, and removes what everybody has read, in steps. Asks nothing where the last poll saw that there is nothing to do.
   * @throws the errors of this package only
   */
  async keep(): Promise<void> {
    while (this.#isDue) {
      const [row] = await this.#runner.write(this.#keep, [prunedPerStep])
      this.#isDue = row?.[0] === true
    }
  }

  /**
   * Marks a namespace, if it is not marked; resolves when every write of it that may still come is one that logs. Calls of one tick travel together.
   * @throws the errors of this package only
   */
  mark(tenant: string, namespace: string, kind: MarkedKind = 'entries'): Promise<void> {
    return this.#marking.mark(tenant, namespace, kind)
  }
}

/** The first row of a poll. Without an incarnation nobody has read the log since it was emptied. */
type Head = readonly [
  kind: null,
  xmax: string,
  xip: string | null,
  turn: number | null,
  pruned: number | null,
  incarnation: string | null,
  isDue: boolean | null,
]

/** An array of numbers is written so: `{1,2}`. */
function rowOf([kind, nonce, digests]: Row): LogRow {
  return { kind: kind as LogKind, nonce: nonce as string | null, digests: (digests as string).slice(1, -1).split(',') }
}

function lostBetween(
  since: LogPosition,
  { position, pruned }: Pick<LogPage, 'position' | 'pruned'>,
): LostRows | undefined {
  // A server that was put back to an earlier state counts its transactions from there.
  if (position.incarnation !== since.incarnation || BigInt(position.xmax) < BigInt(since.xmax)) return 'incarnation'
  return pruned > since.turn ? 'pruned' : undefined
}
