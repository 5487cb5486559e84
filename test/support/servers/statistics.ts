import { inject } from 'vitest'
import { sleep } from '../sleep'

/** Before PostgreSQL 15 a session reports at the end of a statement, half a second after the last time; and what others read is as old. */
const reportEveryMs = 600

/** Has a session report what it counted, so that all can read it: by itself it does a second later at the earliest, and only in part while others read. */
export async function reportStatistics(ask: (text: string) => Promise<unknown>): Promise<void> {
  if (inject('postgresMajor') >= 15) {
    await ask('select pg_stat_force_next_flush()')
    await ask('select 1')
    return
  }
  await sleep(reportEveryMs)
  await ask('select 1')
  await sleep(reportEveryMs)
}
