import { startTimer } from '../../own-clock'

/**
 * Waits, and is over at once when the signal is aborted; the listener goes with the rest, or thousands would gather.
 * @param keepsAlive whether the process stays for it: not for what nobody awaits
 */
export function rest(ms: number, signal: AbortSignal | undefined, keepsAlive = true): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      stopTimer()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const stopTimer = startTimer(end, ms, keepsAlive)
    signal?.addEventListener('abort', end)
  })
}
