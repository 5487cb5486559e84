import readNear from '../../../sql/statements/entries/reads/near.sql'
import readNearAlone from '../../../sql/statements/entries/reads/near-alone.sql'
import readTtls from '../../../sql/statements/entries/reads/ttls.sql'
import readValue from '../../../sql/statements/entries/reads/value.sql'
import readValues from '../../../sql/statements/entries/reads/values.sql'
import readNamespace from '../../../sql/statements/entries/reads/values-of-one-namespace.sql'
import readEntries from '../../../sql/statements/entries/reads/whole.sql'
import readEntry from '../../../sql/statements/entries/reads/whole-alone.sql'
import type { LaneRules } from '../../coalescing/lane-rules'
import { type Located, sharedAddress } from '../../coalescing/located'
import { addressColumns, byPosition, type Found } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

/** Answers a row, whose first column is its position in the batch, or undefined. */
type ReadRules = LaneRules<null, Found<Row>, Found<Row>>

/** Rows of position, format, value. A lone read, and reads of one namespace, have statements of their own, which cost less. */
export function valueRules(database: StatementRunner, schema: string): ReadRules {
  const ofOneNamespace = statementOf(readNamespace, schema)
  const rules = readRules('get', database, statementOf(readValues, schema), statementOf(readValue, schema))
  return {
    ...rules,
    run: async (requests) => {
      const address = requests.length === 1 ? undefined : sharedAddress(requests)
      if (address === undefined) return rules.run(requests)
      const keys = requests.map(({ key }) => key)
      return byPosition(await database.read(ofOneNamespace, [address.tenant, address.namespace, keys]), keys.length)
    },
  }
}

/** Rows of position, format, value, version, expiry. */
export function entryRules(database: StatementRunner, schema: string): ReadRules {
  return readRules('getEntry', database, statementOf(readEntries, schema), statementOf(readEntry, schema))
}

/** Rows of position, milliseconds left. */
export function ttlRules(database: StatementRunner, schema: string): ReadRules {
  return readRules('has', database, statementOf(readTtls, schema))
}

/** @param lone for one key; its row has no position */
function readRules(operation: string, database: StatementRunner, statement: Statement, lone?: Statement): ReadRules {
  const runAll = async (requests: readonly Located[]) =>
    byPosition(await database.read(statement, addressColumns(requests)), requests.length)
  const runOne = async ({ address, key }: Located) => {
    const [row] = await database.read(lone as Statement, [address.tenant, address.namespace, key])
    // Put there, so that all read alike.
    return [row && [1, ...row]]
  }
  return {
    operation,
    isRead: true,
    isShared: true,
    run: (requests) =>
      lone !== undefined && requests.length === 1 ? runOne(requests[0] as Located) : runAll(requests),
    answer: (row) => row,
  }
}

/** Rows of position, whether the namespace is told, format, value, version, milliseconds left; one for each key. */
export function nearRules(database: StatementRunner, schema: string): LaneRules<null, Row, Row> {
  const { run, ...rules } = readRules(
    'get',
    database,
    statementOf(readNear, schema),
    statementOf(readNearAlone, schema),
  )
  return {
    ...rules,
    run: run as LaneRules<null, Row, Row>['run'],
    answer: (row) => row,
    isHit: (row) => row[2] !== null,
  }
}
