import { dropTemporarySchema, temporaryName } from '../postgres/temporary-schema'
import { type PgStashOptions, resolveOptions } from './options'
import { driverOf, PgStash } from './pg-stash'

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
  const driver = driverOf(resolveOptions({ ...options, max: 1 }))
  try {
    return await work(stash)
  } finally {
    await stash.close()
    await dropTemporarySchema(driver, schema).finally(() => driver.close())
  }
}
