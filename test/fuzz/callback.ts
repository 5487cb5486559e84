/** Waits for a callback as Node's convention has it; what is thrown or rejected counts as told too. */
export function answered(call: (callback: (error: unknown, answer?: unknown) => void) => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const returned = call((error, answer) => (error === null || error === undefined ? resolve(answer) : reject(error)))
    if (returned instanceof Promise) returned.catch(reject)
  })
}
