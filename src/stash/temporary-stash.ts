import { dropTemporarySchema, temporaryName } from '../postgres/schema/temporary'
import { toPgStashError } from '../postgres/wire/transient-failure'
import { driverOf } from './connections'
import { resolveOptions } from './options/resolved'
import type { PgStashOptions } from './options/told'
import { PgStash } from './pg-stash'

/**
 * Runs `work` on a stash in a schema of its own, which is dropped afterwards, whatever became of the work.
 * @param purpose a word in the schema's name
 */
export async function withTemporaryStash<T>(
  options: Omit<PgStashOptions, 'schema'>,
  purpose: string,
  work: (stash: PgStash) => Promise<T>,
): Promise<T> {
  const schema = temporaryName(purpose)
  const stash = new PgStash({ ...options, schema, sweeper: false })
  try {
    const result = await work(stash)
    await drop(options, stash)
    return result
  } catch (error) {
    // What went wrong first is what is told.
    await drop(options, stash).catch(() => {})
    throw error
  }
}

async function drop(options: PgStashOptions, stash: PgStash): Promise<void> {
  await stash.close()
  const resolved = resolveOptions({ ...options, max: 1 })
  const driver = driverOf(resolved)
  await dropTemporarySchema(driver, stash.schema)
    .catch((error: unknown) => Promise.reject(toPgStashError(error, resolved.timeoutMs, resolved.schema)))
    .finally(() => driver.close())
}
