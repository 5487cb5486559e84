import type { NearLogFacts } from '../../postgres/doctor/health'
import { type Finding, ok, warn } from './finding'
import { number } from './quantity'

/** A turn is made every 20 seconds by whoever reads the log, and by each sweep. */
const longestTurnMs = 900_000

/** What is written in a minute or two may be that much, and no trouble. */
const noticedRows = 100_000

/** Of namespaces that are held near: is their log kept up, and may what is read of them be held. */
export function nearLog(facts: NearLogFacts): Finding {
  const { marked, waiting, rows, turnedMsAgo, bytes } = facts
  const mebibytes = Math.ceil(bytes / 2 ** 20)
  if (marked === 0 && rows === 0) return ok('no namespace is held near')
  const told = `${number(marked)} ${marked === 1 ? 'namespace is' : 'namespaces are'} held near; the log has ${many(rows)} rows, and takes ${number(mebibytes)} MiB`
  if (rows > noticedRows && (turnedMsAgo ?? Number.POSITIVE_INFINITY) > longestTurnMs)
    return warn(
      `${told}; nobody keeps it up`,
      'Leave the sweeper on in one process, or run pgstash cleanup from time to time: both remove what all have read.',
    )
  if (waiting > 0)
    return warn(
      `${told}; ${number(waiting)} of them may not be held yet: a transaction runs that is older than that`,
      'Look for it in pg_stat_activity (xact_start). Until it ends these are read from the database.',
    )
  return ok(told)
}

function many(rows: number): string {
  return rows >= 1_000_000 ? 'a million or more' : number(rows)
}
