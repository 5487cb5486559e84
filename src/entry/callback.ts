import { InvalidArgumentError } from '../errors'

/**
 * The callback, where there is one; null counts as left out. To be asked before the promise is made: then nothing was asked of the database.
 * @throws {InvalidArgumentError} no function: nobody could be told
 */
export function callbackOf<Callback extends (...answer: never[]) => void>(
  callback: Callback | null | undefined,
): Callback | undefined {
  if (callback === undefined || callback === null) return undefined
  if (typeof callback === 'function') return callback
  throw new InvalidArgumentError('callback', 'must be a function', 'Leave it out, and await the promise instead.')
}
