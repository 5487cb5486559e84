/** Of all namespaces together. A key takes up to a kilobyte, and may be cut out of a text that it holds on to. */
const idleTurnsKeptInAll = 1_024

/** Counts the idle turns of all scopes, and with them the turns. */
export class IdleTurns {
  count = 0
  turns = 0

  constructor(readonly forget: () => void) {}

  /** Also at least half of all: forgetting looks at each turn, and a crowd under way has tens of thousands. */
  get areTooMany(): boolean {
    return this.count > idleTurnsKeptInAll && this.count * 2 > this.turns
  }
}
