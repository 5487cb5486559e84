import { LoadTimeoutError } from '../../errors'
import { now, startTimer } from '../../own-clock'
import type { LoadEnd } from './events'
import type { Flight } from './flight'
import { runWithin } from './nesting'

/** A loader that has ended. */
export interface Ran {
  readonly value: unknown
  readonly durationMs: number
}

/** One that has ended otherwise. */
export class LoadFailure {
  constructor(
    readonly error: unknown,
    readonly end: LoadEnd,
    readonly durationMs: number,
  ) {}
}

/**
 * Runs a loader until it ends, or takes too long, or nobody waits for it: the signal is told then.
 * @param key for the error
 * @param controller whose signal ends it. Default: the flight's
 */
export async function runLoader(
  flight: Flight,
  key: string,
  maxLoadMs: number,
  load: () => unknown,
  controller: Pick<AbortController, 'signal' | 'abort'> = flight,
): Promise<Ran | LoadFailure> {
  const { signal } = controller
  const startedAt = now()
  const overdue = new LoadTimeoutError(key, maxLoadMs, false)
  const stop = startTimer(() => controller.abort(overdue), maxLoadMs, !flight.isBackground)
  let onAbort = () => {}
  const isAborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
  })
  isAborted.catch(() => {})
  flight.hasBegun = true
  try {
    signal.throwIfAborted()
    const value = await Promise.race([isAborted, runWithin(flight, async () => load())])
    return { value, durationMs: now() - startedAt }
  } catch (error) {
    const end = error === overdue ? 'timed-out' : signal.aborted && error === signal.reason ? 'abandoned' : 'failed'
    return new LoadFailure(error, end, now() - startedAt)
  } finally {
    stop()
    signal.removeEventListener('abort', onAbort)
  }
}
