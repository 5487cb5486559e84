import { InvalidArgumentError } from '../errors'
import { soon } from '../own-clock'

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

/**
 * Calls back, at once: a callback put off may be lost to fake timers, and the host would wait for ever. What it throws is the host's, as it would be
 * without a promise around it.
 */
export function callBack<Answer extends unknown[]>(callback: (...answer: Answer) => unknown, ...answer: Answer): void {
  try {
    callback(...answer)
  } catch (error) {
    soon(() => {
      throw error
    })
  }
}
