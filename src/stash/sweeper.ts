import type { Maintenance, Swept } from '../postgres/maintenance'

export type { Swept }

/** 2 MiB of table a statement: some thousand rows, a few milliseconds, so that nobody waits long for a row lock. */
const blocksPerStep = 256

/** Walks the table once and removes what is expired or cleared, in small steps. */
export async function sweep(maintenance: Maintenance): Promise<Swept> {
  const blocks = await maintenance.blocks()
  let expired = 0
  let cleared = 0
  for (let from = 0; from < blocks; from += blocksPerStep) {
    const step = await maintenance.sweep(from, from + blocksPerStep)
    expired += step.expired
    cleared += step.cleared
  }
  return { expired, cleared }
}
