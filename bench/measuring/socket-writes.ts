import { Socket } from 'node:net'

let writes = 0
let isCounting = false

/** Counts from here on what this process writes to the sockets of its servers: one call is one system call. Who connected to a server in this process is a client of it. */
export function countWrites(): void {
  if (isCounting) return
  isCounting = true
  const prototype = Socket.prototype as unknown as Record<'_write' | '_writev', (...given: unknown[]) => unknown>
  for (const verb of ['_write', '_writev'] as const) {
    const original = prototype[verb]
    prototype[verb] = function (this: { server?: unknown }, ...given: unknown[]) {
      if (!this.server) writes += 1
      return original.apply(this, given)
    }
  }
}

export function writesSoFar(): number {
  return writes
}
