import readEntries from '../../sql/statements/read-entries.sql'
import readTtls from '../../sql/statements/read-ttls.sql'
import readValue from '../../sql/statements/read-value.sql'
import readValues from '../../sql/statements/read-values.sql'
import { addressColumns, byPosition, type Found } from './batch-rows'
import type { Database } from './database'
import type { Row } from './driver'
import type { LaneRules } from './lane'
import type { Request } from './request'
import { type Statement, statementOf } from './statement'

/** Answers a row, whose first column is its position in the batch, or undefined. */
type ReadRules = LaneRules<null, Found<Row>, Found<Row>>

/** Rows of position, format, value. A lone read takes the statement for one row. */
export function valueRules(database: Database, schema: string): ReadRules {
  return readRules(database, statementOf(readValues, schema), statementOf(readValue, schema))
}

/** Rows of position, format, value, version, expiry. */
export function entryRules(database: Database, schema: string): ReadRules {
  return readRules(database, statementOf(readEntries, schema))
}

/** Rows of position, milliseconds left. */
export function ttlRules(database: Database, schema: string): ReadRules {
  return readRules(database, statementOf(readTtls, schema))
}

function readRules(database: Database, many: Statement, lone?: Statement): ReadRules {
  return {
    isRead: true,
    isShared: true,
    run: async (requests) => {
      const [first] = requests
      if (lone !== undefined && first !== undefined && requests.length === 1) return readOne(database, lone, first)
      return byPosition(await database.read(many, addressColumns(requests)), requests.length)
    },
    answer: (row) => row,
  }
}

/** The statement for one row gives no position: it is put there, so that both read alike. */
async function readOne(
  database: Database,
  statement: Statement,
  { address, key }: Request<null, Found<Row>>,
): Promise<Found<Row>[]> {
  const [row] = await database.read(statement, [address.tenant, address.namespace, key])
  return [row && [1, ...row]]
}
