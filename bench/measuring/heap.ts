import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** After a collection: what is held. Buffers are no part of it. */
export function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
