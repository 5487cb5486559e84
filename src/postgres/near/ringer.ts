import ringFile from '../../../sql/statements/near/ring.sql'
import { statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { namelessRing, Ringing } from './ringing'

/** Rings for those who listen, and listens to nobody: for a process that holds nothing near, and writes what others do. */
export class Ringer extends Ringing {
  constructor(runner: StatementRunner, schema: string) {
    const send = statementOf(ringFile, schema)
    super(() => runner.write(send, [schema, namelessRing]))
  }
}
