const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')?.get

/**
 * The signal, which calls `judge` whenever somebody asks whether it is aborted. A process that stood still goes on where it stood, and what it finds in its sockets may come before its
 * timers: it would read `aborted` before any of them could have aborted the signal.
 */
export function judgedSignal(signal: AbortSignal, judge: () => void): AbortSignal {
  // Where there is no such property it cannot be stood in for; the timers abort it all the same.
  if (aborted === undefined) return signal
  return Object.defineProperties(signal, {
    aborted: {
      get: () => {
        judge()
        return aborted.call(signal)
      },
    },
    throwIfAborted: {
      value: () => {
        judge()
        AbortSignal.prototype.throwIfAborted.call(signal)
      },
    },
  })
}
