import { onTestFinished } from 'vitest'
import { InvalidationLog } from '../../../src/postgres/near/log'
import { OwnWrites } from '../../../src/postgres/near/own-writes'
import { Telling } from '../../../src/postgres/near/telling'
import { Connections } from '../../../src/stash/connections'
import { resolveOptions } from '../../../src/stash/options/resolved'
import type { PgStashOptions } from '../../../src/stash/options/told'

/** The log of a schema, as one process reads it. */
export async function openLog(options: PgStashOptions): Promise<InvalidationLog> {
  const resolved = resolveOptions({ ...options, sweeper: false })
  const connections = new Connections(resolved, () => {})
  onTestFinished(() => connections.close())
  await connections.database.ready()
  return new InvalidationLog(connections.database, new Telling(new OwnWrites()), {
    schema: resolved.schema,
    isScoped: resolved.isolation === 'rls',
  })
}
