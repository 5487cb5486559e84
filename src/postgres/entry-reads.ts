import readEntries from '../../sql/statements/read-entries.sql'
import readNamespace from '../../sql/statements/read-namespace.sql'
import readTtls from '../../sql/statements/read-ttls.sql'
import readValue from '../../sql/statements/read-value.sql'
import readValues from '../../sql/statements/read-values.sql'
import { addressColumns, byPosition, type Found, sharedAddress } from './batch-rows'
import type { Database } from './database'
import type { Row } from './driver'
import type { LaneRules } from './lane'
import { type Statement, statementOf } from './statement'

/** Answers a row, whose first column is its position in the batch, or undefined. */
type ReadRules = LaneRules<null, Found<Row>, Found<Row>>

/** Rows of position, format, value. A lone read, and reads of one namespace, have statements of their own, which cost less. */
export function valueRules(database: Database, schema: string): ReadRules {
  const lone = statementOf(readValue, schema)
  const ofOneNamespace = statementOf(readNamespace, schema)
  const any = readRules(database, statementOf(readValues, schema))
  return {
    ...any,
    run: async (requests) => {
      const address = sharedAddress(requests)
      if (address === undefined) return any.run(requests)
      const { tenant, namespace } = address
      const keys = requests.map(({ key }) => key)
      if (keys.length > 1)
        return byPosition(await database.read(ofOneNamespace, [tenant, namespace, keys]), keys.length)
      // Without a position: put there, so that all read alike.
      const [row] = await database.read(lone, [tenant, namespace, keys[0]])
      return [row && [1, ...row]]
    },
  }
}

/** Rows of position, format, value, version, expiry. */
export function entryRules(database: Database, schema: string): ReadRules {
  return readRules(database, statementOf(readEntries, schema))
}

/** Rows of position, milliseconds left. */
export function ttlRules(database: Database, schema: string): ReadRules {
  return readRules(database, statementOf(readTtls, schema))
}

function readRules(database: Database, statement: Statement): ReadRules {
  return {
    isRead: true,
    isShared: true,
    run: async (requests) => byPosition(await database.read(statement, addressColumns(requests)), requests.length),
    answer: (row) => row,
  }
}
