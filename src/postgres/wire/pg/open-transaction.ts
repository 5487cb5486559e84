import findMarkFile from '../../../../sql/statements/wire/find-mark.sql'
import markTransactionFile from '../../../../sql/statements/wire/mark-transaction.sql'
import { statementOf } from '../statement'
import { isInFailedTransaction } from '../transient-failure'
import { isOpen, type StatusClient, statusOf, watch } from './transaction-status'

const markTransaction = statementOf(markTransactionFile, '')
const findMark = statementOf(findMarkFile, '')

/** Runs a statement without values, and answers the first column of its first row. */
export type Ask = (text: string) => Promise<unknown>

/**
 * Whether somebody's transaction is open on a client. Where the client does not tell, a setting of one statement is looked for in the next one: it is there only
 * if both are in one transaction.
 */
export async function hasOpenTransaction(client: StatusClient, ask: Ask): Promise<boolean> {
  if (client.connection !== undefined) watch(client.connection)
  const status = statusOf(client)
  if (status !== undefined) return isOpen(status)
  try {
    await ask(markTransaction.text)
    return (await ask(findMark.text)) === true
  } catch (error) {
    if (isInFailedTransaction(error)) return true
    throw error
  }
}
