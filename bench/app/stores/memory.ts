import { MemoryStore } from 'express-rate-limit'
import session from 'express-session'
import Keyv from 'keyv'
import type { Stack } from './stack'

/** What each host has where nothing is said. */
export async function memoryStores(): Promise<Stack> {
  const limits = new MemoryStore()
  return {
    limits,
    sessions: new session.MemoryStore(),
    cache: new Keyv(),
    close: async () => limits.shutdown(),
  }
}
