/**
 * Waits, and is over at once when the signal is aborted; the listener goes with the rest, or thousands would gather.
 * @param keepsAlive whether the process stays for it: not for what nobody awaits
 */
export function rest(ms: number, signal: AbortSignal | undefined, keepsAlive = true): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    if (!keepsAlive) timer.unref()
    signal?.addEventListener('abort', end)
  })
}
