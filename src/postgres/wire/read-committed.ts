import readCommittedFile from '../../../sql/statements/wire/read-committed.sql'
import { type Statement, statementOf } from './statement'

/**
 * Before a statement, in its transaction, where the database's default is another isolation: what waits for a row lock then sees what the other has written, instead
 * of failing with 40001.
 */
export const readCommitted: Statement = statementOf(readCommittedFile, '')
