import readNear from '../../../sql/statements/entries/reads/near.sql'
import readNearAlone from '../../../sql/statements/entries/reads/near-alone.sql'
import readNearOfOne from '../../../sql/statements/entries/reads/near-of-one-namespace.sql'
import readTtls from '../../../sql/statements/entries/reads/ttls.sql'
import readValue from '../../../sql/statements/entries/reads/value.sql'
import readValues from '../../../sql/statements/entries/reads/values.sql'
import readNamespace from '../../../sql/statements/entries/reads/values-of-one-namespace.sql'
import readEntries from '../../../sql/statements/entries/reads/whole.sql'
import readEntry from '../../../sql/statements/entries/reads/whole-alone.sql'
import type { LaneRules } from '../../coalescing/lane-rules'
import { type Located, sharedAddress } from '../../coalescing/located'
import { type Tagging, tagged } from '../tags/tagging'
import { addressColumns, byPosition, type Found } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { type NearAnswer, nearAnswerOf } from './near-answer'

/** Answers a row, whose first column is its position in the batch, or undefined. */
type ReadRules = LaneRules<null, Found<Row>, Found<Row>>

/** Reads a batch; rows as the lane answers them. */
type Read = (requests: readonly Located[]) => Promise<Found<Row>[]>

/**
 * Rows of position, format, value. A lone read, and reads of one namespace, have statements of their own, which cost less. None of these looks at tags: a tagged entry is
 * answered by a mark, and asked for again; from then on all reads of its namespace look at tags.
 */
export function valueRules(database: StatementRunner, schema: string, tagging: Tagging): ReadRules {
  const read = byCrowd(database, {
    one: statementOf(readValue, schema),
    ofOneNamespace: statementOf(readNamespace, schema),
    many: statementOf(readValues, schema),
  })
  const readTagged: Read = async (requests) => {
    const { one, many } = await tagging.reads()
    return (requests.length === 1 ? oneWith(database, one) : manyWith(database, many))(requests)
  }
  return readRules('get', withTags(tagging, read, readTagged))
}

/** Rows of position, format, value, version, expiry. The statement for many looks at tags. */
export function entryRules(database: StatementRunner, schema: string, tagging: Tagging): ReadRules {
  const readMany = manyWith(database, statementOf(readEntries, schema))
  const readOne = oneWith(database, statementOf(readEntry, schema))
  const read: Read = (requests) => (requests.length === 1 ? readOne : readMany)(requests)
  return readRules('getEntry', withTags(tagging, read, readMany))
}

/** Rows of position, milliseconds left. */
export function ttlRules(database: StatementRunner, schema: string): ReadRules {
  return readRules('has', manyWith(database, statementOf(readTtls, schema)))
}

function readRules(operation: string, read: Read): ReadRules {
  return { operation, isRead: true, isShared: true, run: read, answer: (row) => row }
}

/** @param format which column has it */
function withTags({ namespaces }: Tagging, read: Read, readTagged: Read, format = 1): Read {
  const isTagged = (row: Found<Row>) => row?.[format] === tagged
  return async (requests) => {
    if (namespaces.holdAny(requests)) return readTagged(requests)
    const rows = await read(requests)
    if (!rows.some(isTagged)) return rows
    for (let at = 0; at < rows.length; at += 1) if (isTagged(rows[at])) namespaces.add(requests[at] as Located)
    return readTagged(requests)
  }
}

/** Statements that answer the same of a lone key, of keys of one namespace, and of any keys. */
interface ReadStatements {
  readonly one: Statement
  readonly ofOneNamespace: Statement
  readonly many: Statement
}

function byCrowd(database: StatementRunner, { one, ofOneNamespace, many }: ReadStatements): Read {
  const readOne = oneWith(database, one)
  const readMany = manyWith(database, many)
  return async (requests) => {
    if (requests.length === 1) return readOne(requests)
    const address = sharedAddress(requests)
    if (address === undefined) return readMany(requests)
    const keys = requests.map(({ key }) => key)
    return byPosition(await database.read(ofOneNamespace, [address.tenant, address.namespace, keys]), keys.length)
  }
}

function manyWith(database: StatementRunner, statement: Statement): Read {
  return async (requests) => byPosition(await database.read(statement, addressColumns(requests)), requests.length)
}

/** For one key; its row has no position, and gets one, so that all read alike. */
function oneWith(database: StatementRunner, statement: Statement): Read {
  return async (requests) => {
    const { address, key } = requests[0] as Located
    const [row] = await database.read(statement, [address.tenant, address.namespace, key])
    return [row && [1, ...row]]
  }
}

/** Whether the namespace is told; what was found, with its version, the milliseconds left, the tags of a tagged one. */
export function nearRules(
  database: StatementRunner,
  schema: string,
  tagging: Tagging,
): LaneRules<null, NearAnswer, Row> {
  const read = byCrowd(database, {
    one: statementOf(readNearAlone, schema),
    ofOneNamespace: statementOf(readNearOfOne, schema),
    many: statementOf(readNear, schema),
  })
  const readTagged: Read = async (requests) => manyWith(database, (await tagging.reads()).near)(requests)
  // Every key has a row, found or not.
  const run = withTags(tagging, read, readTagged, 2) as (requests: readonly Located[]) => Promise<Row[]>
  return {
    operation: 'get',
    isRead: true,
    isShared: true,
    run,
    answer: nearAnswerOf,
    isHit: ({ row }) => row !== undefined,
  }
}
