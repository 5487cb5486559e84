import { callBack } from '../../entry/callback'

/** What hosts of sessions pass: an error first, or null and the answer. */
export type SessionCallback<T> = (error: Error | null, answer?: T) => void

/**
 * Tells the host by its callback, if it passed one. Otherwise the promise is the answer; nobody has to look at it, for the hosts let a callback be left
 * out, so a failure then is no unhandled rejection.
 */
export function answer<T>(callback: SessionCallback<T> | undefined, promise: Promise<T>): Promise<T> {
  if (callback === undefined) {
    promise.catch(() => {})
    return promise
  }
  promise.then(
    (value) => callBack(callback, null, value),
    (error: Error) => callBack(callback, error),
  )
  return promise
}
