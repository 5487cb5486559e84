import { AsyncLocalStorage } from 'node:async_hooks'
import { LoadCycleError } from '../../errors'
import type { Flight } from './flight'

/** Within which load something is asked. */
const loading = new AsyncLocalStorage<Flight>()

/** Runs a loader. */
export function runWithin<T>(flight: Flight, work: () => T): T {
  return loading.run(flight, work)
}

/** Whether a loader asks: another process's may wait for this one's while it waits for that. */
export function isNested(): boolean {
  return loading.getStore() !== undefined
}

/** @throws {LoadCycleError} the flight waits for who asks now: he may neither join it nor begin another one, which would ask again */
export function assertNoCycle(flight: Flight, key: string): void {
  const outer = loading.getStore()
  if (outer !== undefined && flight.reaches(outer)) throw new LoadCycleError(key)
}

/**
 * Waits for a flight as who asks now.
 * @param key for the error
 * @throws {LoadCycleError} it waits for who asks
 */
export async function waitFor<T>(flight: Flight, key: string, wait: () => Promise<T>): Promise<T> {
  const outer = loading.getStore()
  if (outer === undefined) return wait()
  assertNoCycle(flight, key)
  outer.waitsFor.add(flight)
  try {
    return await wait()
  } finally {
    outer.waitsFor.delete(flight)
  }
}
