import pg from 'pg'
import { PgStash } from 'pgstash'

/*
 * Takes one lock again and again, and counts under it in a row that is guarded by the token. It may be stopped and killed at any point. A line for each critical section: its token, from when
 * until when it could believe that it held the lock, and whether its write was let in. Ends when it is told to.
 */

const [connectionString, schema, leaseMs] = process.argv.slice(2)
const stash = new PgStash({ connectionString, schema, timeoutMs: 60_000, max: 3, breaker: false })
const pool = new pg.Pool({ connectionString, max: 1 })
// What kills this process may find it anywhere.
pool.on('error', () => {})
let isOver = false
process.stdin.on('data', () => {
  isOver = true
})

/** One clock for all processes of a machine. */
const now = () => Number(process.hrtime.bigint() / 1_000n)

/** How long it could still believe: asked in the same breath as the clock, the clock first. */
function believedUntil(lock, before) {
  const at = now()
  return lock.isHeld && !lock.signal.aborted ? at : before
}

while (!isOver) {
  const lock = await stash.lock('counter', { leaseMs: Number(leaseMs), waitMs: null })
  const from = now()
  // It may have been stopped since it was given the lock, and never believe that it holds it.
  let until = believedUntil(lock, 0)
  // Whoever reads under the guard keeps out all that is older: also a write that was sent before, and comes after.
  const { rows: read } = await pool.query(
    `with fence as (update ${schema}.guarded set token = $1 where token <= $1 returning n)
    insert into ${schema}.holder (token, pid) select $1, $2 from fence returning (select n from fence)`,
    [lock.token, process.pid],
  )
  until = believedUntil(lock, until)
  let isWritten = false
  if (read.length > 0) {
    if (Math.random() < 0.3) await new Promise((resolve) => setTimeout(resolve, 5 * Math.random()))
    until = believedUntil(lock, until)
    const { rowCount } = await pool.query(
      `with guard as (update ${schema}.guarded set n = $2 + 1 where token <= $1 returning n)
      insert into ${schema}.written (token, n) select $1, n from guard`,
      [lock.token, read[0].n],
    )
    isWritten = rowCount > 0
    until = believedUntil(lock, until)
  }
  const wasHeld = await lock.release()
  process.stdout.write(`${JSON.stringify({ token: lock.token, from, until, isWritten, wasHeld })}\n`)
}
process.stdin.destroy()
await stash.close()
await pool.end()
