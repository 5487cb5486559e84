import readTaggedNear from '../../../sql/statements/tags/near.sql'
import readTaggedValue from '../../../sql/statements/tags/value.sql'
import readTaggedValues from '../../../sql/statements/tags/values.sql'
import { type Statement, statementOf } from '../wire/statement'

/** The reads that look at tags, each in the place of one that does not. Of the others the statements for many look at tags themselves. */
export interface TaggedReads {
  readonly one: Statement
  readonly many: Statement
  readonly near: Statement
}

export function taggedReads(schema: string): TaggedReads {
  return {
    one: statementOf(readTaggedValue, schema),
    many: statementOf(readTaggedValues, schema),
    near: statementOf(readTaggedNear, schema),
  }
}
